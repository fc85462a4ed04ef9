import { open, rename } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from '../disks/instance-folder.js';

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
  // The newer is opened first: a rotation between the two gives one file twice, never a gap.
  const newer = await open(join(folder, CURRENT), 'r').catch(ignoreMissing);
  try {
    const older = await open(join(folder, OLDER), 'r').catch(ignoreMissing);
    try {
      if (older === undefined && newer === undefined) return undefined;
      const parts = (await isSame(older, newer)) ? [newer] : [older, newer];
      return Buffer.concat(await Promise.all(parts.map(readLog)));
    } finally {
      await older?.close();
    }
  } finally {
    await newer?.close();
  }
}

async function isSame(a: FileHandle | undefined, b: FileHandle | undefined): Promise<boolean> {
  if (a === undefined || b === undefined) return false;
  const [one, other] = await Promise.all([a.stat({ bigint: true }), b.stat({ bigint: true })]);
  return one.ino === other.ino && one.dev === other.dev;
}

/** The end of the file, as much as a log may have. */
async function readLog(file: FileHandle | undefined): Promise<Buffer> {
  if (file === undefined) return Buffer.alloc(0);
  const { size } = await file.stat();
  const bytes = Buffer.alloc(Math.min(size, CONSOLE_LOG_LIMIT));
  const { bytesRead } = await file.read(bytes, 0, bytes.length, size - bytes.length);
  return bytes.subarray(0, bytesRead);
}

function ignoreMissing(error: unknown): undefined {
  if (isMissing(error)) return undefined;
  throw error;
}
