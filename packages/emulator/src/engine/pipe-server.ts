import { lstat, rm } from 'node:fs/promises';
import type { Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { EngineError } from './engine.js';
import type { SocketAddress } from './socket-path.js';
import { socketAddress } from './socket-path.js';

/** Output kept for the first client. */
const UNREAD_LIMIT = 256 * 1024;
/** A client that has so much unread loses what comes then: a serial port waits for nobody. */
const CLIENT_LIMIT = 1024 * 1024;
const FAREWELL_MS = 1_000;
const PROBE_MS = 1_000;

/**
 * A COM port's named pipe as a unix socket. All clients see the same output, and each may write.
 *
 * Unlike Hyper-V, whose pipe loses what is written while nobody is connected, the first 256 KiB are kept until the
 * first client comes, so that a console logger that connects a moment after the start has the boot messages.
 */
export class PipeServer {
  readonly #server: Server;
  readonly #address: SocketAddress;
  readonly #clients = new Set<Socket>();
  readonly #onInput: (chunk: Buffer) => void;
  #unread: Buffer[] | undefined = [];
  #unreadBytes = 0;
  #closing: Promise<void> | undefined;

  private constructor(address: SocketAddress, onInput: (chunk: Buffer) => void) {
    this.#address = address;
    this.#onInput = onInput;
    this.#server = createServer((socket) => this.#welcome(socket));
  }

  /**
   * @param file path of the socket; a stale one is replaced.
   * @throws EngineError FAILED when somebody listens there already.
   */
  static async listen(file: string, onInput: (chunk: Buffer) => void): Promise<PipeServer> {
    const address = await socketAddress(file);
    try {
      await removeStale(file, address.address);
      const pipe = new PipeServer(address, onInput);
      await new Promise<void>((resolve, reject) => {
        pipe.#server.once('error', reject);
        pipe.#server.listen({ path: address.address }, resolve);
      });
      return pipe;
    } catch (error) {
      await address.release();
      if (error instanceof EngineError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new EngineError('FAILED', `The pipe ${file} cannot be made: ${reason}`, { cause: error });
    }
  }

  output(chunk: Buffer): void {
    if (this.#unread !== undefined) {
      const fitting = chunk.subarray(0, UNREAD_LIMIT - this.#unreadBytes);
      if (fitting.length > 0) this.#unread.push(fitting);
      this.#unreadBytes += fitting.length;
      return;
    }
    for (const client of this.#clients) {
      if (client.writableLength <= CLIENT_LIMIT) client.write(chunk);
    }
  }

  /** Lets the clients read what they were sent, for a second at most; then the socket file is gone. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const client of this.#clients) client.end(() => client.destroy());
    const impatience = setTimeout(() => {
      for (const client of this.#clients) client.destroy();
    }, FAREWELL_MS);
    await closed;
    clearTimeout(impatience);
    await this.#address.release();
  }

  #welcome(socket: Socket): void {
    this.#clients.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#clients.delete(socket));
    socket.on('data', (chunk: Buffer) => this.#onInput(chunk));
    for (const chunk of this.#unread ?? []) socket.write(chunk);
    this.#unread = undefined;
  }
}

async function removeStale(file: string, address: string): Promise<void> {
  const facts = await lstat(file).catch(() => undefined);
  if (facts === undefined) return;
  if (!facts.isSocket() || (await isAnswered(address))) {
    throw new EngineError('FAILED', `The pipe ${file} is in use; give each serial port a pipe of its own.`);
  }
  await rm(file, { force: true });
}

function isAnswered(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address);
    const finish = (answered: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answered);
    };
    const timer = setTimeout(() => finish(true), PROBE_MS);
    socket.on('connect', () => finish(true));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      finish(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT');
    });
  });
}

const PIPE_NAME = /^[^/\\\0]{1,200}$/;

/**
 * Checks the name of a pipe, what follows `\\.\pipe\`, before it becomes a file name.
 * @throws EngineError FAILED
 */
export function checkPipeName(name: string): string {
  if (!PIPE_NAME.test(name) || name === '.' || name === '..') {
    throw new EngineError(
      'FAILED',
      `${JSON.stringify(name)} cannot be the name of a pipe: 1 to 200 characters, no slash.`,
    );
  }
  return name;
}
