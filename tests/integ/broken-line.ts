import { createConnection, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

/** What happens to one request. */
export type Trouble =
  /** The connection breaks before the host has seen it. */
  | 'reset before'
  /** The host gets it; the connection breaks at once. */
  | 'reset after'
  /** The host's answer breaks off after some bytes. */
  | 'cut answer'
  /** The host never sees it, and nobody answers. */
  | 'hang'
  /** The host does it, and its answer never comes. */
  | 'answer lost'
  /** The web service in front is there, WinRM is not. */
  | '503'
  /** WinRM gave up waiting for the provider, which goes on. */
  | 'w:TimedOut';

const CUT_AFTER_BYTES = 200;

/** A line to a host (HTTP over TCP, one request at a time on each connection) that can be made to fail. */
export class BrokenLine {
  readonly #upstreamPort: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #rule: { match: RegExp; trouble: Trouble; times: number } | undefined;
  #down = false;
  /** How often a rule was applied. */
  applied = 0;

  private constructor(upstream: URL) {
    this.#upstreamPort = Number(upstream.port);
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async to(url: string): Promise<BrokenLine> {
    const line = new BrokenLine(new URL(url));
    await new Promise<void>((resolve) => line.#server.listen(0, '127.0.0.1', resolve));
    return line;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}/wsman`;
  }

  break(match: RegExp, trouble: Trouble, times = 1): void {
    this.#rule = { match, trouble, times };
    this.applied = 0;
  }

  mend(): void {
    this.#rule = undefined;
    this.#down = false;
  }

  /** The host is off: what is connected breaks, what connects is reset. */
  goDown(): void {
    this.#down = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #track(socket: Socket): Socket {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    return socket;
  }

  #serve(client: Socket): void {
    this.#track(client);
    if (this.#down) {
      client.destroy();
      return;
    }
    const upstream = this.#track(createConnection(this.#upstreamPort, '127.0.0.1'));
    let trouble: Trouble | undefined;
    let passed = 0;
    let pending = Buffer.alloc(0);
    client.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      const length = requestLength(pending);
      if (length === undefined || pending.length < length) return;
      const request = pending.subarray(0, length);
      pending = pending.subarray(length);
      trouble = this.#troubleOf(request.toString('utf8'));
      passed = 0;
      if (trouble === 'reset before') client.destroy();
      else if (trouble === '503') client.write(response('503 Service Unavailable', '', 'text/html'));
      else if (trouble !== 'hang') upstream.write(request);
      if (trouble === 'reset after') client.destroy();
    });
    upstream.on('data', (chunk) => {
      if (trouble === undefined) client.write(chunk);
      else if (trouble === 'cut answer') {
        client.write(chunk.subarray(0, CUT_AFTER_BYTES), () => client.destroy());
      } else if (trouble === 'w:TimedOut' && passed === 0) {
        client.write(response('500 Internal Server Error', TIMED_OUT, 'application/soap+xml;charset=UTF-8'));
      }
      passed += chunk.length;
    });
    client.on('close', () => {
      // What the host has been given it finishes.
      setTimeout(() => upstream.destroy(), 5000).unref();
    });
    upstream.on('close', () => client.destroy());
  }

  #troubleOf(request: string): Trouble | undefined {
    const rule = this.#rule;
    if (rule === undefined || rule.times === 0 || !rule.match.test(request)) return undefined;
    rule.times -= 1;
    this.applied += 1;
    return rule.trouble;
  }
}

function requestLength(bytes: Buffer): number | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const length = /^content-length: *(\d+)/im.exec(bytes.subarray(0, end).toString('latin1'))?.[1] ?? '0';
  return end + 4 + Number(length);
}

function response(status: string, body: string, type: string): string {
  return `HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

const TIMED_OUT =
  '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd">' +
  '<s:Body><s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:TimedOut</s:Value></s:Subcode></s:Code>' +
  '<s:Reason><s:Text xml:lang="en-US">The operation has timed out.</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>';
