import { open } from 'node:fs/promises';
import path from 'node:path';

/** The longest path of a unix socket on Linux: sun_path's 108 bytes less the final zero (unix(7)). */
export const MAX_SOCKET_PATH = 107;

export interface SocketAddress {
  /** What to bind or to connect to. */
  readonly address: string;
  /** Call it when the socket is bound no more, or connected. */
  release(): Promise<void>;
}

/**
 * An address for a socket file wherever it lies: a path that is too long goes by way of its open folder,
 * `/proc/self/fd/N/name`.
 */
export async function socketAddress(file: string): Promise<SocketAddress> {
  if (Buffer.byteLength(file) <= MAX_SOCKET_PATH) return { address: file, release: () => Promise.resolve() };
  const folder = await open(path.dirname(file), 'r');
  return { address: `/proc/self/fd/${folder.fd}/${path.basename(file)}`, release: () => folder.close() };
}
