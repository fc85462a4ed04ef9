import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { CONTENT_TYPE } from '../codec/namespaces.js';
import { WsmanError, WsmanTransportError } from '../errors.js';
import { XmlReader } from '../xml/reader.js';
import type { XmlElement, XmlLimits } from '../xml/reader.js';
import type { ClientAuth, ConnectionAuth } from './auth.js';
import type { WireCounters } from './client.js';
import { abortReason } from './deadline.js';

export interface ClientTls {
  /** PEM of the authorities to trust instead of the system's. */
  readonly ca?: string | Buffer | readonly (string | Buffer)[];
  /** Name that the certificate must carry, when it is not the URL's. */
  readonly servername?: string;
  /** Accept any certificate. For laboratories; a process warning is emitted. */
  readonly insecureSkipVerify?: boolean;
}

export interface ChannelOptions {
  readonly url: URL;
  readonly auth: ClientAuth;
  readonly tls?: ClientTls;
  readonly limits: Partial<XmlLimits>;
  readonly counters: WireCounters;
}

export interface Answer {
  readonly status: number;
  /** Undefined when the body was no XML. */
  readonly root: XmlElement | undefined;
  /** Of the body. */
  readonly bytes: number;
}

interface Reply extends Answer {
  readonly challenges: readonly string[];
}

/** Handshakes take three legs; more than this many 401s in a row lead nowhere. */
const MAX_LEGS = 5;
/** Below the two minutes after which Windows' HTTP service closes an idle connection. */
const IDLE_MS = 60_000;

/** Bytes of an answer that is no XML (the page of an error) before its sender is given up. */
const MAX_FOREIGN = 1024 * 1024;

/** One connection, used by one request at a time, with the authentication that belongs to it. */
export class Channel {
  readonly #options: ChannelOptions;
  readonly #agent: http.Agent;
  #socket: Socket | undefined;
  #auth: ConnectionAuth | undefined;

  constructor(options: ChannelOptions) {
    this.#options = options;
    const common = { keepAlive: true, maxSockets: 1, timeout: IDLE_MS } as const;
    this.#agent =
      options.url.protocol === 'https:'
        ? new https.Agent({ ...common, ...tlsOptions(options.tls) })
        : new http.Agent(common);
  }

  /** Sends a message and reads its answer, going through the authentication's legs. */
  async send(body: string, signal: AbortSignal): Promise<Answer> {
    let challenges: readonly string[] | undefined;
    for (let leg = 0; leg < MAX_LEGS; leg += 1) {
      const reply = await this.#exchange(body, challenges, signal);
      if (reply === undefined) break;
      if (reply.status !== 401) return reply;
      challenges = reply.challenges;
    }
    throw new WsmanTransportError(
      'WSMAN_UNAUTHORIZED',
      `The host refused the ${this.#options.auth.scheme} credentials (401): check user, password and the schemes that it offers`,
    );
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Undefined when the scheme has nothing more to say to the challenges. */
  async #exchange(
    body: string,
    challenges: readonly string[] | undefined,
    signal: AbortSignal,
  ): Promise<Reply | undefined> {
    if (signal.aborted) throw abortReason(signal, challenges !== undefined);
    const payload = Buffer.from(body, 'utf8');
    const { url } = this.#options;
    const client = url.protocol === 'https:' ? https : http;
    const request = client.request(url, {
      method: 'POST',
      agent: this.#agent,
      headers: { 'Content-Type': CONTENT_TYPE, 'Content-Length': payload.byteLength },
    });
    let sent = false;
    const onAbort = (): void => {
      request.destroy(abortReason(signal, sent));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const socket = await this.#connected(request);
      const authorization = await this.#authorization(socket, challenges);
      if (challenges !== undefined && authorization === undefined) {
        request.destroy();
        return undefined;
      }
      if (authorization !== undefined) request.setHeader('Authorization', authorization);
      sent = true;
      return await this.#roundTrip(request, payload);
    } catch (error) {
      request.destroy();
      throw signal.aborted ? abortReason(signal, sent) : transportError(error, sent, url);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Waits for the connection, so that nothing is sent before it is known to be a new or the same one. */
  async #connected(request: http.ClientRequest): Promise<Socket> {
    return new Promise((resolve, reject) => {
      request.on('error', reject);
      request.once('socket', (socket) => {
        if (request.reusedSocket || !socket.connecting) {
          resolve(socket);
          return;
        }
        socket.once(this.#options.url.protocol === 'https:' ? 'secureConnect' : 'connect', () =>
          resolve(socket),
        );
      });
    });
  }

  async #authorization(
    socket: Socket,
    challenges: readonly string[] | undefined,
  ): Promise<string | undefined> {
    const fresh = socket !== this.#socket;
    this.#socket = socket;
    if (fresh || this.#auth === undefined) this.#auth = this.#options.auth.connection();
    return this.#auth.authorization(challenges);
  }

  async #roundTrip(request: http.ClientRequest, payload: Buffer): Promise<Reply> {
    const { counters } = this.#options;
    counters.roundTrips += 1;
    counters.bytesSent += payload.byteLength;
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      request.on('error', reject);
      request.once('response', resolve);
      request.end(payload);
    });
    return {
      status: response.statusCode ?? 0,
      ...(await this.#read(response)),
      challenges: response.headersDistinct['www-authenticate'] ?? [],
    };
  }

  async #read(response: http.IncomingMessage): Promise<Pick<Answer, 'root' | 'bytes'>> {
    const type = response.headers['content-type'] ?? '';
    const isXml = /xml/iu.test(type);
    const reader = new XmlReader(this.#options.limits, /utf-?16/iu.test(type) ? 'utf-16le' : 'utf-8');
    let length = 0;
    for await (const chunk of response) {
      const bytes: Buffer = chunk;
      length += bytes.byteLength;
      this.#options.counters.bytesReceived += bytes.byteLength;
      if (isXml) reader.write(bytes);
      else if (length > MAX_FOREIGN) {
        throw new WsmanError('WSMAN_XML_LIMIT', `more than ${MAX_FOREIGN} bytes of something else`);
      }
    }
    return { root: isXml && length > 0 ? reader.end() : undefined, bytes: length };
  }
}

function tlsOptions(tls: ClientTls | undefined): https.AgentOptions {
  if (tls?.insecureSkipVerify === true) {
    process.emitWarning('The certificates of a Hyper-V host are not checked', { code: 'WSMAN_INSECURE_TLS' });
  }
  return {
    minVersion: 'TLSv1.2',
    rejectUnauthorized: tls?.insecureSkipVerify !== true,
    ...(tls?.ca === undefined
      ? {}
      : { ca: typeof tls.ca === 'string' || Buffer.isBuffer(tls.ca) ? tls.ca : [...tls.ca] }),
    ...(tls?.servername === undefined ? {} : { servername: tls.servername }),
  };
}

const TLS_ERROR = /^(?:ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO)/u;

function transportError(error: unknown, sent: boolean, url: URL): Error {
  if (error instanceof WsmanTransportError) return error;
  if (error instanceof WsmanError) {
    return new WsmanTransportError(
      'WSMAN_BAD_RESPONSE',
      `${url.host} answered with no usable XML: ${error.message}`,
      {
        cause: error,
      },
    );
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reason = error instanceof Error ? error.message : String(error);
  if (TLS_ERROR.test(code)) {
    return new WsmanTransportError('WSMAN_TLS', `No TLS connection with ${url.host}: ${reason}`, {
      cause: error,
      notSent: !sent,
    });
  }
  return new WsmanTransportError('WSMAN_UNREACHABLE', `No connection with ${url.host}: ${reason || code}`, {
    cause: error,
    notSent: !sent,
  });
}
