import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { CONTENT_TYPE } from '../codec/namespaces.js';
import { WsmanError } from '../errors.js';
import { XmlReader } from '../xml/reader.js';
import type { XmlElement } from '../xml/reader.js';
import type { ServerAuth, ServerConnectionAuth } from './auth.js';
import { Dispatcher } from './dispatcher.js';
import type { Reply, ServerLogEntry } from './dispatcher.js';
import { DEFAULT_SERVER_LIMITS, MAX_ELEMENTS, MAX_UNAUTHENTICATED } from './limits.js';
import type { WsmanServerLimits } from './limits.js';
import type { Caller, WmiProvider } from './provider.js';

export interface WsmanServerOptions {
  readonly provider: WmiProvider;
  readonly auth: ServerAuth;
  readonly limits?: Partial<WsmanServerLimits>;
  /** Never given a password, an Authorization header or a message's content. */
  readonly log?: (entry: ServerLogEntry) => void;
  /** Serve https. */
  readonly tls?: { readonly key: string | Buffer; readonly cert: string | Buffer };
  /** Computer name in faults. Default: this machine's. */
  readonly machine?: string;
}

export interface WsmanServer {
  /** Starts to listen; port 0 takes a free one. Gives the URL to use. */
  listen(port: number, host?: string): Promise<{ readonly port: number; readonly url: string }>;
  /** Stops to listen, ends the connections and frees the open enumerations. */
  close(): Promise<void>;
  readonly openEnumerations: number;
}

const PATH = '/wsman';
/** What HTTP.sys keeps an idle connection for. */
const KEEP_ALIVE_MS = 120_000;
const REQUEST_MS = 60_000;
/** A refused request's body is read up to this much, so that the answer reaches the client. */
const MAX_DRAIN = 1024 * 1024;

/** A WS-Management service over a {@link WmiProvider}: one path, POST, SOAP 1.2. */
export function createWsmanServer(options: WsmanServerOptions): WsmanServer {
  return new Server(options);
}

class Server implements WsmanServer {
  readonly #auth: ServerAuth;
  readonly #limits: WsmanServerLimits;
  readonly #dispatcher: Dispatcher;
  readonly #log: (entry: ServerLogEntry) => void;
  readonly #server: http.Server;
  readonly #scheme: 'http' | 'https';
  readonly #connections = new WeakMap<Socket, ServerConnectionAuth>();

  constructor(options: WsmanServerOptions) {
    this.#auth = options.auth;
    this.#limits = { ...DEFAULT_SERVER_LIMITS, ...options.limits };
    this.#log = options.log ?? (() => undefined);
    this.#dispatcher = new Dispatcher({
      provider: options.provider,
      limits: this.#limits,
      log: this.#log,
      ...(options.machine === undefined ? {} : { machine: options.machine }),
    });
    const timing = { keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: REQUEST_MS, headersTimeout: 20_000 };
    const listener = (request: http.IncomingMessage, response: http.ServerResponse): void => {
      void this.#serve(request, response);
    };
    this.#scheme = options.tls === undefined ? 'http' : 'https';
    this.#server =
      options.tls === undefined
        ? http.createServer(timing, listener)
        : https.createServer({ ...timing, ...options.tls, minVersion: 'TLSv1.2' }, listener);
    this.#server.maxConnections = this.#limits.maxConnections;
  }

  get openEnumerations(): number {
    return this.#dispatcher.openEnumerations;
  }

  async listen(port: number, host = '127.0.0.1'): Promise<{ port: number; url: string }> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    const address = this.#server.address();
    if (address === null || typeof address === 'string')
      throw new WsmanError('WSMAN_LISTEN', `No address on ${host}`);
    const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
    return { port: address.port, url: `${this.#scheme}://${name}:${address.port}${PATH}` };
  }

  async close(): Promise<void> {
    this.#dispatcher.close();
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.#server.closeAllConnections();
    await closed;
    this.#dispatcher.close();
  }

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    try {
      const path = (request.url ?? '').split('?')[0]?.replace(/\/+$/u, '').toLowerCase();
      if (path !== PATH) return await this.#refuse(request, response, 404);
      if (request.method !== 'POST') return await this.#refuse(request, response, 405, { Allow: 'POST' });
      const caller = await this.#authenticate(request, response);
      if (caller === 'refused') return await this.#drain(request);
      if (!/^application\/soap\+xml\b/iu.test(request.headers['content-type'] ?? '')) {
        return await this.#refuse(request, response, 415);
      }
      const reply = await this.#answer(request, caller);
      response.writeHead(reply.status, {
        'Content-Type': CONTENT_TYPE,
        'Content-Length': Buffer.byteLength(reply.body),
      });
      response.end(reply.body);
    } catch (error) {
      // The connection broke, or the provider's answer could not be written: there is nobody to tell.
      this.#log({ level: 'warn', message: 'A request was broken off', error });
      response.destroy();
    }
    return undefined;
  }

  async #answer(request: http.IncomingMessage, caller: Caller | undefined): Promise<Reply> {
    let root: XmlElement;
    try {
      root = await this.#read(request, caller !== undefined);
    } catch (error) {
      if (!(error instanceof WsmanError)) throw error;
      await this.#drain(request);
      return { ...this.#dispatcher.fault(error), status: error.code === 'WSMAN_XML_LIMIT' ? 500 : 400 };
    }
    return this.#dispatcher.handle(root, caller);
  }

  async #read(request: http.IncomingMessage, known: boolean): Promise<XmlElement> {
    const most = this.#limits.maxEnvelopeSize;
    const maxBytes = known ? most : Math.min(most, MAX_UNAUTHENTICATED);
    const encoding = /utf-?16/iu.test(request.headers['content-type'] ?? '') ? 'utf-16le' : 'utf-8';
    const reader = new XmlReader({ maxBytes, maxElements: MAX_ELEMENTS }, encoding);
    // The iterator must not destroy the request when reading stops early: the answer goes over its socket.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      const bytes: Buffer = chunk;
      reader.write(bytes);
    }
    return reader.end();
  }

  /** Undefined: let through for Identify alone. */
  async #authenticate(
    request: http.IncomingMessage,
    response: http.ServerResponse,
  ): Promise<Caller | undefined | 'refused'> {
    if (request.headers['wsmanidentify']?.toString().toLowerCase() === 'unauthenticated') return undefined;
    let connection = this.#connections.get(request.socket);
    if (connection === undefined) {
      connection = this.#auth.connection();
      this.#connections.set(request.socket, connection);
    }
    const result = await connection.authenticate(request.headers.authorization);
    if (result.kind === 'accepted') return result.caller;
    response.writeHead(401, { 'WWW-Authenticate': [...result.challenges], 'Content-Length': 0 });
    response.end();
    return 'refused';
  }

  async #refuse(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    status: number,
    headers: http.OutgoingHttpHeaders = {},
  ): Promise<void> {
    response.writeHead(status, { ...headers, 'Content-Length': 0 });
    response.end();
    await this.#drain(request);
  }

  async #drain(request: http.IncomingMessage): Promise<void> {
    let total = 0;
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      const bytes: Buffer = chunk;
      total += bytes.byteLength;
      if (total > MAX_DRAIN) {
        request.destroy();
        return;
      }
    }
  }
}
