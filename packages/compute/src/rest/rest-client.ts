import type { Readable } from 'node:stream';
import { Pool, type Dispatcher } from 'undici';
import { z } from 'zod';
import { sleep, systemClock, type Clock } from '../util/clock.js';
import { abortReason, errorCode } from '../util/errors.js';
import { parseServiceFault, RestError, type RestErrorInfo } from './rest-error.js';

/** Where tokens for other services come from: the cloud's own identity, or Keystone. */
export interface TokenSource {
  /** @param options.refused the token that a service has just refused with 401: do not give the same again */
  token(options?: { readonly refused?: string }): Promise<string>;
}

export interface RestClientOptions {
  /** Name in errors: `image`, `network`, `placement`. */
  readonly service: string;
  /** As in the service catalogue, e.g. `http://127.0.0.1:8780/network`; a version at its end is dropped. */
  readonly baseUrl: string;
  readonly tokens: TokenSource;
  /** Whole request with its answer, ms; downloads: the longest silence. Default 30 s. */
  readonly timeoutMs?: number;
  /** Further tries of idempotent requests that found nobody home (connection refused, 503). Default 3. */
  readonly retries?: number;
  /** First pause before a further try, doubling, ms. Default 200. */
  readonly retryDelayMs?: number;
  /** Connections at a time. Default 16. */
  readonly connections?: number;
  readonly clock?: Clock;
}

export interface CallOptions {
  /** Passed on as X-OpenStack-Request-ID, so that the logs of all services can be put together. */
  readonly requestId?: string;
  readonly signal?: AbortSignal;
}

export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export interface RestRequest extends CallOptions {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'PATCH';
  /** Below the base URL, with a leading slash; parts from outside through {@link segment}. */
  readonly path: string;
  readonly query?: Query;
  readonly body?: unknown;
  /** Instead of a body in JSON: bytes, opened anew for each try; `application/octet-stream`. */
  readonly content?: () => Readable;
  readonly headers?: Readonly<Record<string, string>>;
  /** Instead of the client's own. */
  readonly tokens?: TokenSource;
}

/** An answer below 300 with its body not yet read: read or destroy it. */
export type RestStream = Dispatcher.ResponseData;

const MAX_BODY_BYTES = 32 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'PUT', 'DELETE']);
/** Nobody took the request in hand, or the connection broke: an idempotent one may be sent again. */
const TRANSIENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
]);
const TOO_LATE: ReadonlySet<string> = new Set([
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** One path segment made of text from outside. */
export function segment(value: string): string {
  if (value === '' || value === '.' || value === '..')
    throw new TypeError(`"${value}" cannot be part of a URL path.`);
  return encodeURIComponent(value);
}

function queryText(query: Query | undefined): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined) continue;
    if (typeof value === 'object') for (const one of value) params.append(name, one);
    else params.append(name, String(value));
  }
  const text = params.toString();
  return text === '' ? '' : `?${text}`;
}

/**
 * HTTP to one OpenStack service: one connection pool, a token, deadlines, retries with back-off, typed errors, answers checked
 * against a schema. Close it when done.
 */
export class RestClient {
  readonly #options: RestClientOptions;
  readonly #pool: Pool;
  readonly #origin: string;
  readonly #prefix: string;
  readonly #timeoutMs: number;
  readonly #clock: Clock;

  constructor(options: RestClientOptions) {
    const url = new URL(options.baseUrl);
    this.#options = options;
    this.#origin = url.origin;
    this.#prefix = url.pathname.replace(/\/+$/, '').replace(/\/v[0-9]+(\.[0-9]+)?$/, '');
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.#clock = options.clock ?? systemClock;
    this.#pool = new Pool(url.origin, {
      connections: options.connections ?? 16,
      headersTimeout: this.#timeoutMs,
      bodyTimeout: this.#timeoutMs,
      connectTimeout: Math.min(this.#timeoutMs, 10_000),
    });
  }

  /** The answer's JSON as the schema reads it. @throws RestError, or the signal's reason */
  async json<T>(request: RestRequest, schema: z.ZodType<T>): Promise<T> {
    const body = await this.#withRetries(request, async (signal) => {
      const response = await this.#send(request, signal);
      return this.#readBounded(request, response, MAX_BODY_BYTES);
    });
    let parsed: unknown;
    try {
      parsed = JSON.parse(body);
    } catch (error) {
      throw this.#error(request, { kind: 'protocol', serviceMessage: 'the answer is not JSON' }, error);
    }
    const result = schema.safeParse(parsed);
    if (!result.success) {
      throw this.#error(
        request,
        { kind: 'protocol', serviceMessage: z.prettifyError(result.error) },
        result.error,
      );
    }
    return result.data;
  }

  /** For requests whose answer has nothing to read. @throws RestError, or the signal's reason */
  async done(request: RestRequest): Promise<void> {
    await this.#withRetries(request, async (signal) => {
      const response = await this.#send(request, signal);
      await this.#readBounded(request, response, MAX_BODY_BYTES);
    });
  }

  /** The answer as a stream; its only deadline is the longest silence. @throws RestError, or the signal's reason */
  async stream(request: RestRequest): Promise<RestStream> {
    return this.#withRetries(request, () => this.#send(request, request.signal), { wholeDeadline: false });
  }

  /** A failure of this service in the form of the other ones, for what goes wrong while a stream is read. */
  failure(request: RestRequest, error: unknown): Error {
    if (request.signal?.aborted === true) return abortReason(request.signal);
    if (error instanceof RestError) return error;
    const kind = TOO_LATE.has(errorCode(error)) ? 'timeout' : 'unreachable';
    const said = error instanceof Error ? error.message : String(error);
    return this.#error(request, { kind, serviceMessage: said }, error);
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  async #withRetries<T>(
    request: RestRequest,
    attempt: (signal: AbortSignal) => Promise<T>,
    { wholeDeadline = true } = {},
  ): Promise<T> {
    const retries = IDEMPOTENT.has(request.method) ? (this.#options.retries ?? 3) : 0;
    for (let tried = 0; ; tried += 1) {
      const deadline = wholeDeadline ? [AbortSignal.timeout(this.#timeoutMs)] : [];
      const signal = AbortSignal.any([
        ...deadline,
        ...(request.signal === undefined ? [] : [request.signal]),
      ]);
      let failure: Error;
      try {
        return await attempt(signal);
      } catch (error) {
        request.signal?.throwIfAborted();
        if (signal.aborted) throw this.#error(request, { kind: 'timeout' }, error);
        failure = this.failure(request, error);
        const again = error instanceof RestError ? error.status === 503 : TRANSIENT.has(errorCode(error));
        if (!again || tried >= retries) throw failure;
      }
      // Full jitter, so that many computes do not come back in step.
      const pause = (this.#options.retryDelayMs ?? 200) * 2 ** tried * (0.5 + this.#clock.random() / 2);
      await sleep(this.#clock, pause, request.signal);
    }
  }

  async #send(request: RestRequest, signal: AbortSignal | undefined): Promise<RestStream> {
    const tokens = request.tokens ?? this.#options.tokens;
    const token = await tokens.token();
    const first = await this.#sendOnce(request, token, signal);
    if (first.statusCode !== 401) return this.#accept(request, first);
    await first.body.dump();
    const renewed = await tokens.token({ refused: token });
    return this.#accept(request, await this.#sendOnce(request, renewed, signal));
  }

  #sendOnce(request: RestRequest, token: string, signal: AbortSignal | undefined): Promise<RestStream> {
    const headers: Record<string, string> = {
      accept: 'application/json',
      'user-agent': 'nova-hyperv',
      'x-auth-token': token,
      ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(request.content === undefined ? {} : { 'content-type': 'application/octet-stream' }),
      ...request.headers,
    };
    if (request.requestId !== undefined) headers['x-openstack-request-id'] = request.requestId;
    return this.#pool.request({
      method: request.method,
      path: `${this.#prefix}${request.path}${queryText(request.query)}`,
      headers,
      body: request.content?.() ?? (request.body === undefined ? null : JSON.stringify(request.body)),
      signal: signal ?? null,
    });
  }

  async #accept(request: RestRequest, response: RestStream): Promise<RestStream> {
    if (response.statusCode < 300) return response;
    const body = await this.#readBounded(request, response, MAX_ERROR_BYTES).catch(() => '');
    const fault = parseServiceFault(body);
    const id = response.headers['x-openstack-request-id'] ?? response.headers['openstack-request-id'];
    throw this.#error(request, {
      kind: 'http',
      status: response.statusCode,
      serviceMessage: fault.message,
      ...(fault.type === undefined ? {} : { serviceErrorType: fault.type }),
      ...(typeof id === 'string' ? { serviceRequestId: id } : {}),
    });
  }

  async #readBounded(request: RestRequest, response: RestStream, limit: number): Promise<string> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) {
        throw this.#error(request, {
          kind: 'protocol',
          serviceMessage: `the answer is longer than ${limit} bytes`,
        });
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  #error(
    request: RestRequest,
    info: Omit<RestErrorInfo, 'service' | 'method' | 'url'>,
    cause?: unknown,
  ): RestError {
    const url = `${this.#origin}${this.#prefix}${request.path}${queryText(request.query)}`;
    return new RestError({ ...info, service: this.#options.service, method: request.method, url }, { cause });
  }
}
