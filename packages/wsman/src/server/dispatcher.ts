import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { encodeEndpointReference } from '../codec/endpoint-reference.js';
import {
  decodeEnumerate,
  decodePull,
  decodeRelease,
  encodeEnumerateResponse,
  encodePullResponse,
} from '../codec/enumeration.js';
import type { EnumerationMode, Page } from '../codec/enumeration.js';
import { decodeRequestHeader, encodeResponse, openEnvelope } from '../codec/envelope.js';
import type { RequestHeader } from '../codec/envelope.js';
import { encodeFault, faultAction, WSMAN_CODE } from '../codec/fault.js';
import type { FaultFields } from '../codec/fault.js';
import { encodeIdentifyResponse, isIdentify } from '../codec/identify.js';
import { decodeInstance, encodeInstance } from '../codec/instance.js';
import { decodeInvoke, encodeInvokeResponse } from '../codec/invoke.js';
import { ACTIONS } from '../codec/namespaces.js';
import { encodeCreateResponse } from '../codec/transfer.js';
import { WBEM, WmiError } from '../errors.js';
import { child } from '../xml/reader.js';
import type { XmlElement } from '../xml/reader.js';
import { element } from '../xml/writer.js';
import type { Xml } from '../xml/writer.js';
import { NS } from '../codec/namespaces.js';
import { Enumerations, takeItems } from './enumerations.js';
import type { Enumeration } from './enumerations.js';
import { FaultError, faultOf, reading } from './fault-error.js';
import { DEFAULT_CLIENT_ENVELOPE, MIN_CLIENT_ENVELOPE } from './limits.js';
import type { WsmanServerLimits } from './limits.js';
import type { Caller, WmiProvider } from './provider.js';
import { runEnumerate } from './query.js';
import type { Results } from './query.js';
import { classOf, instanceOf, methodTarget, resourceOf } from './target.js';

export interface ServerLogEntry {
  readonly level: 'debug' | 'warn' | 'error';
  readonly message: string;
  readonly action?: string;
  readonly error?: unknown;
}

export interface Reply {
  readonly status: 200 | 400 | 500;
  readonly body: string;
}

export interface DispatcherOptions {
  readonly provider: WmiProvider;
  readonly limits: WsmanServerLimits;
  readonly log: (entry: ServerLogEntry) => void;
  readonly machine?: string;
}

interface Operation {
  readonly caller: Caller;
  readonly header: RequestHeader;
  readonly content: XmlElement | undefined;
  /** Bytes that the client reads at most. */
  readonly maxBytes: number;
}

interface Answer {
  readonly action: string;
  readonly body: Xml;
}

/** Room for the envelope's own tags and headers around the items of a page. */
const ENVELOPE_ROOM = 2048;

/** From the message of an authenticated caller to the message that answers it. Knows nothing of HTTP. */
export class Dispatcher {
  readonly #provider: WmiProvider;
  readonly #limits: WsmanServerLimits;
  readonly #log: (entry: ServerLogEntry) => void;
  readonly #machine: string;
  readonly #enumerations: Enumerations;
  #running = 0;
  readonly #runningOf = new Map<string, number>();

  constructor(options: DispatcherOptions) {
    this.#provider = options.provider;
    this.#limits = options.limits;
    this.#log = options.log;
    this.#machine = options.machine ?? hostname();
    this.#enumerations = new Enumerations(options.limits);
  }

  /** `caller` is undefined for an unauthenticated Identify, which learns less. */
  async handle(root: XmlElement, caller: Caller | undefined): Promise<Reply> {
    let header: RequestHeader | undefined;
    try {
      const envelope = openEnvelope(root);
      if (isIdentify(envelope.content)) {
        const identity = this.#provider.identity(caller !== undefined);
        return { status: 200, body: encodeIdentifyResponse(identity) };
      }
      if (caller === undefined)
        throw new FaultError('AccessDenied', 'Only Identify is answered without authentication');
      const messageId = envelope.header && child(envelope.header, NS.addressing, 'MessageID')?.text.trim();
      header = { ...EMPTY_HEADER, messageId };
      header = decodeRequestHeader(envelope.header);
      const operation = { caller, header, content: envelope.content, maxBytes: this.#maxBytes(header) };
      return this.#reply(operation, await this.#limited(operation));
    } catch (error) {
      return this.fault(error, header);
    }
  }

  /** The answer to a message that could not be read or served. */
  fault(error: unknown, header?: RequestHeader): Reply {
    const known = faultOf(error, this.#machine);
    if (known === undefined) {
      this.#log({
        level: 'error',
        message: 'The provider failed',
        error,
        ...(header && { action: header.action }),
      });
    }
    const fields: FaultFields = known ?? {
      subcode: 'InternalError',
      message: 'The service failed while it handled the request; its log says why',
      machine: this.#machine,
    };
    const envelope = encodeResponse(
      { action: faultAction(fields.subcode), messageId: newMessageId(), relatesTo: header?.messageId },
      encodeFault(fields),
    );
    return { status: 500, body: envelope };
  }

  close(): void {
    this.#enumerations.clear();
  }

  get openEnumerations(): number {
    return this.#enumerations.size;
  }

  #maxBytes(header: RequestHeader): number {
    const asked = header.maxEnvelopeSize ?? DEFAULT_CLIENT_ENVELOPE;
    if (asked < MIN_CLIENT_ENVELOPE) {
      throw new FaultError('EncodingLimit', `MaxEnvelopeSize must be at least ${MIN_CLIENT_ENVELOPE}`, {
        code: 0x8033807e,
        detail: 'MinimumEnvelopeLimit',
      });
    }
    return Math.min(asked, this.#limits.maxEnvelopeSize);
  }

  #reply(operation: Operation, answer: Answer): Reply {
    const body = encodeResponse(
      { action: answer.action, messageId: newMessageId(), relatesTo: operation.header.messageId },
      answer.body,
    );
    if (Buffer.byteLength(body) > operation.maxBytes) {
      throw new FaultError(
        'EncodingLimit',
        'The answer exceeds the MaxEnvelopeSize of the request; allow more',
      );
    }
    return { status: 200, body };
  }

  /** Bounds the number of operations and the time of each. Work that outlasts its time goes on, as on Windows. */
  async #limited(operation: Operation): Promise<Answer> {
    const { user } = operation.caller;
    const own = this.#runningOf.get(user) ?? 0;
    const { maxConcurrentOperations, maxConcurrentOperationsPerUser } = this.#limits;
    if (this.#running >= maxConcurrentOperations || own >= maxConcurrentOperationsPerUser) {
      throw new FaultError('QuotaLimit', 'Too many operations are running; try again later');
    }
    const milliseconds = Math.min(
      operation.header.operationTimeoutMs ?? this.#limits.maxTimeoutMs,
      this.#limits.maxTimeoutMs,
    );
    this.#count(user, 1);
    const work = this.#perform(operation).finally(() => this.#count(user, -1));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new FaultError('TimedOut', `The operation did not finish within ${milliseconds} ms`));
      }, milliseconds);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #count(user: string, change: 1 | -1): void {
    this.#running += change;
    const own = (this.#runningOf.get(user) ?? 0) + change;
    if (own === 0) this.#runningOf.delete(user);
    else this.#runningOf.set(user, own);
  }

  async #perform(operation: Operation): Promise<Answer> {
    const { header } = operation;
    if (header.fragment) {
      throw new FaultError('UnsupportedFeature', 'Fragment transfer is not offered', {
        code: WSMAN_CODE.fragmentTransfer,
        detail: 'FragmentLevelAccess',
      });
    }
    switch (header.action) {
      case ACTIONS.get:
        return this.#get(operation);
      case ACTIONS.put:
        return this.#put(operation);
      case ACTIONS.create:
        return this.#create(operation);
      case ACTIONS.delete:
        return this.#delete(operation);
      case ACTIONS.enumerate:
        return this.#enumerate(operation);
      case ACTIONS.pull:
        return this.#pull(operation);
      case ACTIONS.release:
        return this.#release(operation);
      default:
        return this.#invoke(operation);
    }
  }

  async #get({ caller, header }: Operation): Promise<Answer> {
    const { schema } = this.#provider;
    const def = classOf(resourceOf(header, schema), schema);
    const instance = await this.#provider.get(caller, instanceOf(header, def, schema));
    return { action: `${ACTIONS.get}Response`, body: encodeInstance(instance, schema, { whole: true }) };
  }

  async #put(operation: Operation): Promise<Answer> {
    const { schema } = this.#provider;
    const def = classOf(resourceOf(operation.header, schema), schema);
    const reference = instanceOf(operation.header, def, schema);
    const instance = await this.#provider.put(
      operation.caller,
      reference,
      this.#instanceIn(operation, def.name),
    );
    return { action: `${ACTIONS.put}Response`, body: encodeInstance(instance, schema, { whole: true }) };
  }

  async #create(operation: Operation): Promise<Answer> {
    const { schema } = this.#provider;
    const def = classOf(resourceOf(operation.header, schema), schema);
    const reference = await this.#provider.create(operation.caller, this.#instanceIn(operation, def.name));
    return { action: `${ACTIONS.create}Response`, body: encodeCreateResponse(reference, schema) };
  }

  async #delete({ caller, header }: Operation): Promise<Answer> {
    const { schema } = this.#provider;
    const def = classOf(resourceOf(header, schema), schema);
    await this.#provider.delete(caller, instanceOf(header, def, schema));
    return { action: `${ACTIONS.delete}Response`, body: '' };
  }

  #instanceIn({ header, content }: Operation, className: string) {
    const { schema } = this.#provider;
    if (content === undefined || content.local !== className) {
      throw new FaultError('SchemaValidationError', `The body must hold one ${className}`);
    }
    const { namespace } = resourceOf(header, schema);
    return reading(() => decodeInstance(content, { schema, namespace, strict: true }));
  }

  async #invoke(operation: Operation): Promise<Answer> {
    const { caller, header } = operation;
    const { schema } = this.#provider;
    const resource = resourceOf(header, schema);
    const prefix = `${header.resourceUri ?? ''}/`.toLowerCase();
    if (!header.action.toLowerCase().startsWith(prefix)) {
      throw new FaultError('ActionNotSupported', `The action ${header.action.slice(0, 300)} is not offered`);
    }
    const def = classOf(resource, schema);
    const name = header.action.slice(prefix.length);
    // Names of methods distinguish case in WinRM, although WMI does not.
    const method = def.methods.get(name);
    if (method === undefined)
      throw new WmiError(WBEM.invalidMethod, `Invalid method: ${def.name}.${name.slice(0, 80)}`);
    const reference = methodTarget(header, def, method.isStatic === true, schema);
    const context = { schema, namespace: def.namespace, strict: true };
    const parameters = reading(() => decodeInvoke(operation.content, method, context));
    const result = await this.#provider.invoke(caller, reference, method.name, parameters);
    return { action: `${header.action}Response`, body: encodeInvokeResponse(def, method, result, context) };
  }

  async #enumerate(operation: Operation): Promise<Answer> {
    const { caller, header } = operation;
    const { schema } = this.#provider;
    const resource = resourceOf(header, schema);
    if (header.selectorSet !== undefined && header.selectorSet.children.length > 0) {
      throw new FaultError('InvalidSelectors', 'An enumeration takes no selectors', {
        code: WSMAN_CODE.enumerateWithKeys,
      });
    }
    const request = decodeEnumerate(operation.content, schema);
    const results = await runEnumerate(this.#provider, caller, resource, request);
    const enumeration: Enumeration = {
      user: caller.user,
      resourceUri: header.resourceUri?.toLowerCase() ?? '',
      count: results.found.length,
      item: (index) => this.#item(results, index, request.mode),
      next: 0,
    };
    const action = `${ACTIONS.enumerate}Response`;
    if (!request.optimize) {
      const context = this.#enumerations.add(enumeration);
      return { action, body: encodeEnumerateResponse({ context, items: [], end: false }, false) };
    }
    const page = this.#page(enumeration, request.maxElements, operation.maxBytes);
    if (page.end) return { action, body: encodeEnumerateResponse(page, true) };
    const context = this.#enumerations.add(enumeration);
    return { action, body: encodeEnumerateResponse({ ...page, context }, true) };
  }

  #pull(operation: Operation): Answer {
    const request = decodePull(operation.content);
    const enumeration = this.#contextOf(operation, request.context);
    const room = Math.min(operation.maxBytes, (request.maxCharacters ?? Infinity) + ENVELOPE_ROOM);
    const page = this.#page(enumeration, request.maxElements, room);
    if (page.end) this.#enumerations.remove(request.context);
    const body = encodePullResponse(page.end ? page : { ...page, context: request.context });
    return { action: `${ACTIONS.pull}Response`, body };
  }

  #release(operation: Operation): Answer {
    const context = decodeRelease(operation.content);
    this.#contextOf(operation, context);
    this.#enumerations.remove(context);
    return { action: `${ACTIONS.release}Response`, body: '' };
  }

  #contextOf({ caller, header }: Operation, context: string): Enumeration {
    const enumeration = this.#enumerations.find(context, caller.user);
    if (header.resourceUri?.toLowerCase() !== enumeration.resourceUri) {
      throw new FaultError(
        'InvalidEnumerationContext',
        'The enumeration context belongs to another resource URI',
      );
    }
    return enumeration;
  }

  /** Without MaxElements a page has one item (WS-Enumeration, 3.2). */
  #page(enumeration: Enumeration, maxElements: number | undefined, maxBytes: number): Page {
    const most = Math.min(maxElements ?? 1, this.#limits.maxBatchItems);
    return takeItems(enumeration, most, maxBytes - ENVELOPE_ROOM);
  }

  #item(results: Results, index: number, mode: EnumerationMode): Xml {
    const { schema } = this.#provider;
    const found = results.found[index];
    if (found === undefined) throw new RangeError(`There is no result ${index}`);
    if (mode === 'reference') return encodeEndpointReference(found.reference, schema);
    const object = encodeInstance(found.instance, schema, { whole: results.whole });
    return mode === 'object'
      ? object
      : element('w:Item', {}, object + encodeEndpointReference(found.reference, schema));
  }
}

const EMPTY_HEADER: RequestHeader = {
  action: '',
  messageId: undefined,
  resourceUri: undefined,
  selectorSet: undefined,
  maxEnvelopeSize: undefined,
  operationTimeoutMs: undefined,
  fragment: false,
};

function newMessageId(): string {
  return `uuid:${randomUUID().toUpperCase()}`;
}
