import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { Guest, GuestDirectory } from './directory.js';
import type { Peer } from './tcp-server.js';

/** A request to the metadata service, its proxy's headers included. */
export interface ProxiedRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: Buffer;
}

export interface ProxiedAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
}

export interface MetadataProxyOptions {
  readonly directory: GuestDirectory;
  readonly request: (request: ProxiedRequest) => Promise<ProxiedAnswer>;
  /** Neutron's metadata_proxy_shared_secret applied to an identifier. */
  readonly sign: (identifier: string) => string;
  readonly log: Logger;
}

const METHODS: readonly ProxiedRequest['method'][] = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'];
const MAX_HEADER_BYTES = 8 * 1024;
const MAX_BODY_BYTES = 64 * 1024;
const HEADERS_MS = 10_000;
const REQUEST_MS = 30_000;
const KEEP_ALIVE_MS = 15_000;

/**
 * HTTP for guests at 169.254.169.254. Who asks is told by the wire alone: what a guest says of itself in headers is left out.
 * Source: neutron/agent/metadata/agent.py, MetadataProxyHandler.
 */
export class MetadataProxy {
  readonly #options: MetadataProxyOptions;
  readonly #server: Server;
  readonly #peers = new WeakMap<object, Peer>();

  constructor(options: MetadataProxyOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        maxHeaderSize: MAX_HEADER_BYTES,
        headersTimeout: HEADERS_MS,
        requestTimeout: REQUEST_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
      },
      (request, response) => {
        this.#answer(request, response).catch((error: unknown) => {
          options.log.warn({ err: error }, 'a guest’s request for metadata failed');
          if (response.headersSent) response.destroy();
          else
            end(response, {
              status: 500,
              contentType: 'text/plain',
              body: Buffer.from('500 Internal Server Error\n'),
            });
        });
      },
    );
  }

  serve(connection: Duplex, peer: Peer): void {
    this.#peers.set(connection, peer);
    this.#server.emit('connection', connection);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const payload = await readBody(request);
    const guest = await this.#guestOf(request);
    const url = pathOf(request.url ?? '');
    const method = METHODS.find((one) => one === request.method);
    if (payload === undefined) return refuse(response, 413, 'Payload Too Large');
    if (method === undefined || url === undefined) return refuse(response, 400, 'Bad Request');
    if (guest === undefined) return refuse(response, 404, 'Not Found');
    const { deviceId, projectId, address } = guest;
    end(
      response,
      await this.#options.request({
        method,
        url,
        payload,
        headers: {
          ...pick(request, 'accept'),
          ...pick(request, 'content-type'),
          'X-Forwarded-For': address,
          'X-Instance-ID': deviceId,
          'X-Tenant-ID': projectId,
          'X-Instance-ID-Signature': this.#options.sign(deviceId),
        },
      }),
    );
  }

  /** Looked up for every request: a connection may outlive the port that it came from. */
  async #guestOf({ socket }: IncomingMessage): Promise<(Guest & { readonly address: string }) | undefined> {
    const peer = this.#peers.get(socket);
    if (peer === undefined) return undefined;
    const { guest, vlan, address } = peer;
    const now = await this.#options.directory.find(guest.mac, vlan);
    if (now?.portId !== guest.portId || now.deviceId !== guest.deviceId) return undefined;
    return now.subnets.some((subnet) => subnet.address === address) ? { ...now, address } : undefined;
  }
}

function pick({ headers }: IncomingMessage, name: 'accept' | 'content-type'): Record<string, string> {
  const value = headers[name];
  return value === undefined ? {} : { [name]: value };
}

/** Of a path, or of the whole address as clients of proxies say it. */
function pathOf(url: string): string | undefined {
  if (url.startsWith('/')) return url;
  const [, path] = /^https?:\/\/[^/]*(\/.*)?$/i.exec(url) ?? [];
  return path;
}

/** Undefined for one that is too large. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  return bytes > MAX_BODY_BYTES ? undefined : Buffer.concat(chunks);
}

function refuse(response: ServerResponse, status: number, title: string): void {
  end(response, { status, contentType: 'text/plain', body: Buffer.from(`${status} ${title}\n`) });
}

function end(response: ServerResponse, { status, contentType, body }: ProxiedAnswer): void {
  response.writeHead(status, { 'Content-Type': contentType, 'Content-Length': body.length });
  response.end(body);
}
