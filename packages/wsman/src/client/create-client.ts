import { randomUUID } from 'node:crypto';
import type { CimInstance, CimReference, CimValue } from '../cim/value.js';
import { referenceOf } from '../cim/object-path.js';
import { decodeReference } from '../codec/endpoint-reference.js';
import { decodePage, encodeEnumerate, encodePull, encodeRelease } from '../codec/enumeration.js';
import type { ReadPage } from '../codec/enumeration.js';
import { encodeRequest, openEnvelope } from '../codec/envelope.js';
import { decodeFault, isFault } from '../codec/fault.js';
import type { Filter } from '../codec/filter.js';
import { decodeIdentifyResponse, encodeIdentify } from '../codec/identify.js';
import { decodeInstance, encodeInstance } from '../codec/instance.js';
import { decodeInvokeResponse, encodeInvoke } from '../codec/invoke.js';
import type { MemberContext } from '../codec/members.js';
import { ACTIONS, NS } from '../codec/namespaces.js';
import { resourceUri } from '../codec/resource-uri.js';
import { decodeCreateResponse } from '../codec/transfer.js';
import { WsmanError, WsmanFault, WsmanTransportError } from '../errors.js';
import { loadSchema } from '../schema/load-schema.js';
import type { Schema } from '../schema/schema.js';
import { child } from '../xml/reader.js';
import type { XmlElement } from '../xml/reader.js';
import type { Xml } from '../xml/writer.js';
import type { ClientAuth } from './auth.js';
import { ChannelPool } from './channel-pool.js';
import { Channel } from './channel.js';
import type { Answer, ClientTls } from './channel.js';
import type {
  AssociatorFilter,
  CallOptions,
  Found,
  Identity,
  InvokeResult,
  WireCounters,
  WsmanClient,
} from './client.js';
import { Deadline } from './deadline.js';

export interface WsmanClientOptions {
  /** `https://host:5986/wsman` or `http://host:5985/wsman`. */
  readonly url: string;
  readonly auth: ClientAuth;
  /** Default: the package's own. */
  readonly schema?: Schema;
  /** Milliseconds for one call with everything that belongs to it. Default 60000. */
  readonly timeoutMs?: number;
  /** Bytes announced to the service, and the most that is sent. Default 512000. */
  readonly maxEnvelopeSize?: number;
  /** Bytes of an answer that are read. Default 16 MiB. */
  readonly maxResponseBytes?: number;
  /** Connections open at a time. Default 4. */
  readonly maxConnections?: number;
  readonly tls?: ClientTls;
}

const DEFAULTS = {
  timeoutMs: 60_000,
  maxEnvelopeSize: 512_000,
  maxResponseBytes: 16 * 1024 * 1024,
  maxConnections: 4,
};
/** What a service of 2012 R2 and older accepts at most with its own settings. */
const SMALL_ENVELOPE = 153_600;
const MAX_ELEMENTS = 10_000;
const MAX_RESULTS = 1_000_000;
/** Pages of one query together, in answers of the largest size. */
const MAX_FULL_PAGES = 16;
const RELEASE_MS = 2000;

/** A client of one host's WS-Management service. Close it to free its connections. */
export function createWsmanClient(options: WsmanClientOptions): WsmanClient {
  return new Client(options);
}

interface Request {
  readonly action: string;
  readonly namespace: string;
  readonly className: string;
  readonly target?: CimReference;
  readonly body: Xml;
  /** Reading twice does no harm, so a broken connection or a size fault may be met by asking again. */
  readonly readOnly: boolean;
}

class Client implements WsmanClient {
  readonly counters: WireCounters = { roundTrips: 0, bytesSent: 0, bytesReceived: 0 };
  readonly #url: URL;
  readonly #schema: Schema;
  readonly #timeoutMs: number;
  readonly #maxCallBytes: number;
  readonly #pool: ChannelPool<Channel>;
  #maxEnvelopeSize: number;

  constructor(options: WsmanClientOptions) {
    this.#url = new URL(options.url);
    if (this.#url.protocol !== 'https:' && this.#url.protocol !== 'http:') {
      throw new WsmanError('WSMAN_URL', `${options.url} is not an http or https address`);
    }
    options.auth.check(this.#url);
    this.#schema = options.schema ?? loadSchema();
    this.#timeoutMs = options.timeoutMs ?? DEFAULTS.timeoutMs;
    this.#maxEnvelopeSize = options.maxEnvelopeSize ?? DEFAULTS.maxEnvelopeSize;
    const channel = {
      url: this.#url,
      auth: options.auth,
      limits: { maxBytes: options.maxResponseBytes ?? DEFAULTS.maxResponseBytes },
      counters: this.counters,
      ...(options.tls === undefined ? {} : { tls: options.tls }),
    };
    this.#maxCallBytes = MAX_FULL_PAGES * channel.limits.maxBytes;
    this.#pool = new ChannelPool(
      options.maxConnections ?? DEFAULTS.maxConnections,
      () => new Channel(channel),
    );
  }

  async identify(options?: CallOptions): Promise<Identity> {
    return this.#call(options, async (deadline) => {
      const { content } = this.#open(await this.#send(encodeIdentify(), deadline, true));
      return understood(() => decodeIdentifyResponse(content));
    });
  }

  async get(reference: CimReference, options?: CallOptions): Promise<CimInstance> {
    return this.#call(options, async (deadline) => {
      const content = await this.#request(this.#on(reference, ACTIONS.get, '', true), deadline);
      if (content === undefined) throw noContent('Get');
      return understood(() => decodeInstance(content, this.#context(reference.namespace)));
    });
  }

  async put(reference: CimReference, instance: CimInstance, options?: CallOptions): Promise<CimInstance> {
    return this.#call(options, async (deadline) => {
      const body = encodeInstance(instance, this.#schema);
      const content = await this.#request(this.#on(reference, ACTIONS.put, body, false), deadline);
      if (content === undefined) return instance;
      return understood(() => decodeInstance(content, this.#context(reference.namespace)));
    });
  }

  async create(instance: CimInstance, options?: CallOptions): Promise<CimReference> {
    return this.#call(options, async (deadline) => {
      const { namespace, className } = instance;
      const body = encodeInstance(instance, this.#schema);
      const content = await this.#request(
        { action: ACTIONS.create, namespace, className, body, readOnly: false },
        deadline,
      );
      return understood(() => decodeCreateResponse(content, this.#schema));
    });
  }

  async delete(reference: CimReference, options?: CallOptions): Promise<void> {
    await this.#call(options, (deadline) =>
      this.#request(this.#on(reference, ACTIONS.delete, '', false), deadline),
    );
  }

  query(namespace: string, wql: string, options?: CallOptions): Promise<readonly Found[]> {
    return this.#collect(namespace, '*', { kind: 'wql', query: wql }, options);
  }

  enumerate(namespace: string, className: string, options?: CallOptions): Promise<readonly Found[]> {
    const def = this.#schema.classOf(namespace, className);
    return this.#collect(def?.namespace ?? namespace, def?.name ?? className, undefined, options);
  }

  associators(
    source: CimReference,
    filter: AssociatorFilter,
    options?: CallOptions,
  ): Promise<readonly Found[]> {
    return this.#collect(source.namespace, '*', { kind: 'associators', source, filter }, options);
  }

  references(
    source: CimReference,
    filter: { resultClass?: string; role?: string },
    options?: CallOptions,
  ): Promise<readonly Found[]> {
    return this.#collect(source.namespace, '*', { kind: 'references', source, filter }, options);
  }

  async invoke(
    reference: CimReference,
    method: string,
    parameters: Readonly<Record<string, CimValue>>,
    options?: CallOptions,
  ): Promise<InvokeResult> {
    const def = this.#schema.classOf(reference.namespace, reference.className);
    if (def === undefined) {
      throw new WsmanError(
        'WSMAN_UNKNOWN_CLASS',
        `The schema has no class ${reference.className} in ${reference.namespace}`,
      );
    }
    const known = this.#schema.method(def, method);
    if (known === undefined)
      throw new WsmanError('WSMAN_UNKNOWN_METHOD', `${def.name} has no method ${method}`);
    const body = encodeInvoke(def, known, parameters, {
      schema: this.#schema,
      namespace: def.namespace,
      strict: true,
    });
    return this.#call(options, async (deadline) => {
      const action = `${resourceUri(def.namespace, def.name)}/${known.name}`;
      const content = await this.#request(this.#on(reference, action, body, false), deadline);
      return understood(() => decodeInvokeResponse(content, known, this.#context(def.namespace)));
    });
  }

  close(): Promise<void> {
    for (const channel of this.#pool.close()) channel.close();
    return Promise.resolve();
  }

  #context(namespace: string): MemberContext {
    return { schema: this.#schema, namespace, strict: false };
  }

  #on(reference: CimReference, action: string, body: Xml, readOnly: boolean): Request {
    const def = this.#schema.classOf(reference.namespace, reference.className);
    return {
      action,
      namespace: def?.namespace ?? reference.namespace,
      className: def?.name ?? reference.className,
      target: reference,
      body,
      readOnly,
    };
  }

  async #call<T>(options: CallOptions | undefined, work: (deadline: CallDeadline) => Promise<T>): Promise<T> {
    const milliseconds = options?.timeoutMs ?? this.#timeoutMs;
    const deadline = new Deadline(milliseconds, options?.signal);
    try {
      // The service's own limit lies below ours, so that it can still say that it gave up.
      return await work({
        signal: deadline.signal,
        operationTimeoutMs: Math.ceil(milliseconds * 0.9),
        receivedBytes: 0,
      });
    } finally {
      deadline.dispose();
    }
  }

  async #collect(
    namespace: string,
    className: string,
    filter: Filter | undefined,
    options: CallOptions | undefined,
  ): Promise<readonly Found[]> {
    return this.#call(options, async (deadline) => {
      const request = { optimize: true, maxElements: MAX_ELEMENTS, mode: 'both' } as const;
      const body = encodeEnumerate(filter === undefined ? request : { ...request, filter }, this.#schema);
      const base = { namespace, className };
      const first = await this.#request(
        { ...base, action: ACTIONS.enumerate, body, readOnly: true },
        deadline,
      );
      let page = understood(() => decodePage(first));
      const found: Found[] = [];
      let context = page.context;
      try {
        for (;;) {
          understood(() => this.#readItems(page, namespace, found));
          if (context === undefined) return found;
          const pull = encodePull({ context, maxElements: MAX_ELEMENTS });
          const next = await this.#request(
            { ...base, action: ACTIONS.pull, body: pull, readOnly: false },
            deadline,
          );
          page = understood(() => decodePage(next));
          context = page.end ? undefined : (page.context ?? context);
        }
      } catch (error) {
        if (context !== undefined) await this.#release(namespace, className, context);
        throw error;
      }
    });
  }

  #readItems(page: ReadPage, namespace: string, found: Found[]): void {
    const context = this.#context(namespace);
    for (const item of page.items) {
      const both = item.uri === NS.wsman && item.local === 'Item';
      const object = both ? item.children.find((entry) => entry.uri !== NS.addressing) : item;
      if (object === undefined)
        throw new WsmanTransportError('WSMAN_BAD_RESPONSE', 'An item holds no object');
      const instance = decodeInstance(object, context);
      found.push({ instance, reference: this.#addressOf(both ? item : undefined, instance) });
    }
    if (found.length > MAX_RESULTS) {
      throw new WsmanTransportError(
        'WSMAN_BAD_RESPONSE',
        `The query gives more than ${MAX_RESULTS} results; narrow it`,
      );
    }
  }

  #addressOf(item: XmlElement | undefined, instance: CimInstance): CimReference {
    const given = item === undefined ? undefined : child(item, NS.addressing, 'EndpointReference');
    if (given !== undefined) return decodeReference(given, this.#schema);
    const { namespace, className } = instance;
    return referenceOf(instance, this.#schema) ?? { kind: 'reference', namespace, className, keys: {} };
  }

  /** Frees the service's context after a failure; its own failure changes nothing. */
  async #release(namespace: string, className: string, context: string): Promise<void> {
    try {
      await this.#call({ timeoutMs: RELEASE_MS }, (deadline) =>
        this.#request(
          { action: ACTIONS.release, namespace, className, body: encodeRelease(context), readOnly: false },
          deadline,
        ),
      );
    } catch (error) {
      if (!(error instanceof WsmanError)) throw error;
    }
  }

  async #request(request: Request, deadline: CallDeadline): Promise<XmlElement | undefined> {
    try {
      return await this.#requestOnce(request, deadline);
    } catch (error) {
      const tooLarge = error instanceof WsmanFault && error.subcode === 'EncodingLimit';
      if (!tooLarge || !request.readOnly || this.#maxEnvelopeSize <= SMALL_ENVELOPE) throw error;
      this.#maxEnvelopeSize = SMALL_ENVELOPE;
      return this.#requestOnce(request, deadline);
    }
  }

  async #requestOnce(request: Request, deadline: CallDeadline): Promise<XmlElement | undefined> {
    const messageId = `uuid:${randomUUID().toUpperCase()}`;
    const envelope = encodeRequest(
      {
        to: this.#url.href,
        action: request.action,
        messageId,
        resourceUri: resourceUri(request.namespace, request.className),
        maxEnvelopeSize: this.#maxEnvelopeSize,
        operationTimeoutMs: deadline.operationTimeoutMs,
        schema: this.#schema,
        ...(request.target === undefined ? {} : { target: request.target }),
      },
      request.body,
    );
    if (Buffer.byteLength(envelope) > this.#maxEnvelopeSize) {
      throw new WsmanError(
        'WSMAN_REQUEST_TOO_LARGE',
        `The request exceeds ${this.#maxEnvelopeSize} bytes; split it`,
      );
    }
    const answer = await this.#send(envelope, deadline, request.readOnly);
    deadline.receivedBytes += answer.bytes;
    if (deadline.receivedBytes > this.#maxCallBytes) {
      throw new WsmanTransportError(
        'WSMAN_BAD_RESPONSE',
        `The answer exceeds ${this.#maxCallBytes} bytes; narrow the query`,
      );
    }
    const { header, content } = this.#open(answer);
    const relates = header === undefined ? undefined : child(header, NS.addressing, 'RelatesTo')?.text.trim();
    if (relates !== undefined && relates.toLowerCase() !== messageId.toLowerCase()) {
      throw new WsmanTransportError('WSMAN_BAD_RESPONSE', 'The answer belongs to another request');
    }
    return content;
  }

  async #send(envelope: string, deadline: CallDeadline, again: boolean): Promise<Answer> {
    return this.#pool.use(deadline.signal, async (channel) => {
      try {
        return await channel.send(envelope, deadline.signal);
      } catch (error) {
        // An idle connection may have been closed by the other side at the moment it was taken.
        const broken =
          error instanceof WsmanTransportError && error.code === 'WSMAN_UNREACHABLE' && !error.notSent;
        if (!broken || !again || deadline.signal.aborted) throw error;
        return channel.send(envelope, deadline.signal);
      }
    });
  }

  #open(answer: Answer) {
    if (answer.root === undefined) {
      const hint = answer.status === 404 ? ': no WS-Management service listens at this path' : '';
      throw new WsmanTransportError(
        'WSMAN_BAD_RESPONSE',
        `HTTP ${answer.status} without a SOAP message${hint}`,
      );
    }
    const { root } = answer;
    const envelope = understood(() => openEnvelope(root));
    if (isFault(envelope.content)) throw decodeFault(envelope.content);
    return envelope;
  }
}

interface CallDeadline {
  readonly signal: AbortSignal;
  readonly operationTimeoutMs: number;
  /** By this call up to now. */
  receivedBytes: number;
}

function noContent(operation: string): WsmanTransportError {
  return new WsmanTransportError('WSMAN_BAD_RESPONSE', `The answer to ${operation} is empty`);
}

/** Reading an answer: whatever is wrong with it is the service's affair, not the caller's. */
function understood<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof WsmanError) || error instanceof WsmanFault || error instanceof WsmanTransportError)
      throw error;
    throw new WsmanTransportError('WSMAN_BAD_RESPONSE', `The answer cannot be understood: ${error.message}`, {
      cause: error,
    });
  }
}
