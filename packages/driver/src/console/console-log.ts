import { open, rename, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes of `console.log` before it becomes `console.log.1`. */
export const CONSOLE_LOG_LIMIT = 512 * 1024;
const CURRENT = 'console.log';
const OLDER = 'console.log.1';

/** Appends to a log that keeps between one and two limits' worth of bytes. The folder must exist: it is never made. */
export class ConsoleLogWriter {
  readonly #folder: string;
  readonly #limit: number;
  #file: FileHandle | undefined;
  #size = 0;

  constructor(folder: string, limit = CONSOLE_LOG_LIMIT) {
    this.#folder = folder;
    this.#limit = limit;
  }

  async append(bytes: Uint8Array): Promise<void> {
    let rest = bytes;
    while (rest.length > 0) {
      const file = await this.#current();
      const part = rest.subarray(0, this.#limit - this.#size);
      await file.appendFile(part);
      this.#size += part.length;
      rest = rest.subarray(part.length);
    }
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async #current(): Promise<FileHandle> {
    if (this.#file === undefined) await this.#open();
    if (this.#size >= this.#limit) {
      await this.close();
      await rename(join(this.#folder, CURRENT), join(this.#folder, OLDER));
      await this.#open();
    }
    if (this.#file === undefined) throw new Error('The console log was closed while it was written');
    return this.#file;
  }

  async #open(): Promise<void> {
    this.#file = await open(join(this.#folder, CURRENT), 'a');
    this.#size = (await this.#file.stat()).size;
  }
}

/** The older file, then the newer; undefined when there is neither. */
export async function readConsoleLog(folder: string): Promise<Uint8Array | undefined> {
  const older = await readLog(join(folder, OLDER));
  const newer = await readLog(join(folder, CURRENT));
  if (older === undefined && newer === undefined) return undefined;
  return Buffer.concat([older ?? Buffer.alloc(0), newer ?? Buffer.alloc(0)]);
}

async function readLog(path: string): Promise<Buffer | undefined> {
  const info = await stat(path).catch(ignoreMissing);
  if (info === undefined) return undefined;
  const file = await open(path, 'r').catch(ignoreMissing);
  if (file === undefined) return undefined;
  try {
    const bytes = Buffer.alloc(Math.min(info.size, CONSOLE_LOG_LIMIT * 2));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function ignoreMissing(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}
