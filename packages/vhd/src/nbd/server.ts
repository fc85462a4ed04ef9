import { chmod, lstat, rm } from 'node:fs/promises';
import type { Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import type { Disk } from '../disk.js';
import { VhdError } from '../errors.js';
import { ByteStream, StreamEnded } from './byte-stream.js';
import type { NbdExport, NbdExportOptions } from './exports.js';
import { Handshake } from './handshake.js';
import { MAX_NAME_LENGTH } from './protocol.js';
import { Transmission } from './transmission.js';

/** A client that has not chosen an export by then is sent away. */
const HANDSHAKE_DEADLINE_MS = 10_000;
/** How long requests under way may take to end when an export is removed or the server closed. */
const DRAIN_DEADLINE_MS = 10_000;
/** A socket file whose owner does not answer within this time is stale. */
const STALE_PROBE_MS = 1_000;

export interface NbdServerOptions {
  /** Path of the unix socket, 107 bytes at most. Made with mode 0600. */
  readonly socketPath: string;
}

export interface NbdServer {
  readonly socketPath: string;
  /** Export names in the order in which they were added. */
  readonly exports: readonly string[];
  /**
   * Serves a disk under a name. The disk stays the caller's: it is not closed here. Its size is told to each client
   * as it is when that client connects; what it grows by later is served to all.
   * @throws VhdError `VHD_EXISTS` when the name is taken.
   */
  addExport(name: string, disk: Disk, options?: NbdExportOptions): void;
  /** Sends its clients away; settles when none of their requests runs any more. Harmless for an unknown name. */
  removeExport(name: string): Promise<void>;
  /** Connections that use the export now. */
  connections(name: string): number;
  /** Ends all connections and removes the socket. Safe to call twice. */
  close(): Promise<void>;
}

interface Connection {
  readonly stream: ByteStream;
  /** Settles, and never fails, when nothing of the connection runs any more. */
  done: Promise<void>;
  exportName: string | undefined;
}

class UnixNbdServer implements NbdServer {
  readonly socketPath: string;
  readonly #server: Server;
  readonly #exports = new Map<string, NbdExport>();
  readonly #connections = new Set<Connection>();
  #closing: Promise<void> | undefined;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
    this.#server = createServer({ allowHalfOpen: false }, (socket) => this.#accept(socket));
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ path: this.socketPath }, () => {
        this.#server.off('error', reject);
        chmod(this.socketPath, 0o600).then(resolve, reject);
      });
    });
  }

  get exports(): readonly string[] {
    return [...this.#exports.keys()];
  }

  addExport(name: string, disk: Disk, options: NbdExportOptions = {}): void {
    if (Buffer.byteLength(name) > MAX_NAME_LENGTH) {
      throw new VhdError('VHD_INVALID_ARGUMENT', `An export name has ${MAX_NAME_LENGTH} bytes at most.`);
    }
    if (this.#exports.has(name))
      throw new VhdError('VHD_EXISTS', `The export ${JSON.stringify(name)} exists already.`);
    const readOnly = disk.readOnly || (options.readOnly ?? false);
    this.#exports.set(name, { name, disk, readOnly, description: options.description ?? '' });
  }

  async removeExport(name: string): Promise<void> {
    this.#exports.delete(name);
    await this.#disconnect((connection) => connection.exportName === name);
  }

  connections(name: string): number {
    return [...this.#connections].filter((connection) => connection.exportName === name).length;
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.#exports.clear();
    await this.#disconnect(() => true);
    await closed;
    await rm(this.socketPath, { force: true });
  }

  async #disconnect(isMeant: (connection: Connection) => boolean): Promise<void> {
    const meant = [...this.#connections].filter((connection) => isMeant(connection));
    for (const connection of meant) connection.stream.destroy();
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, DRAIN_DEADLINE_MS);
    });
    await Promise.race([Promise.all(meant.map((connection) => connection.done)), deadline]);
    clearTimeout(timer);
  }

  #accept(socket: Socket): void {
    const stream = new ByteStream(socket);
    const connection: Connection = { stream, exportName: undefined, done: Promise.resolve() };
    this.#connections.add(connection);
    connection.done = this.#serve(connection).finally(() => {
      stream.end();
      this.#connections.delete(connection);
    });
  }

  async #serve(connection: Connection): Promise<void> {
    const { stream } = connection;
    const deadline = setTimeout(() => stream.destroy(), HANDSHAKE_DEADLINE_MS);
    try {
      const session = await new Handshake(stream, this.#exports).run();
      if (session === undefined) return;
      connection.exportName = session.export.name;
      clearTimeout(deadline);
      // Removed while the client was choosing it: nobody else will send this client away.
      if (this.#exports.get(session.export.name) !== session.export) return;
      await new Transmission(stream, session).run();
    } catch (error) {
      if (!(error instanceof StreamEnded)) stream.destroy();
    } finally {
      clearTimeout(deadline);
    }
  }
}

/**
 * Starts an NBD server on a unix socket. A socket file that nobody answers on is removed first.
 * @throws VhdError `VHD_EXISTS` when somebody answers on it, or the path is something else than a socket.
 */
export async function serveNbd(options: NbdServerOptions): Promise<NbdServer> {
  await removeStaleSocket(options.socketPath);
  const server = new UnixNbdServer(options.socketPath);
  await server.listen();
  return server;
}

async function removeStaleSocket(socketPath: string): Promise<void> {
  const stats = await lstat(socketPath).catch(() => undefined);
  if (stats === undefined) return;
  if (stats.isSocket() && !(await isAnswered(socketPath))) {
    await rm(socketPath, { force: true });
    return;
  }
  throw new VhdError('VHD_EXISTS', `${socketPath} is in use by another process, or is not a socket.`, {
    path: socketPath,
  });
}

function isAnswered(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    const finish = (isUsed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(isUsed);
    };
    // Whoever is too busy to accept is there nevertheless.
    const timer = setTimeout(() => finish(true), STALE_PROBE_MS);
    socket.on('connect', () => finish(true));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      finish(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT');
    });
  });
}
