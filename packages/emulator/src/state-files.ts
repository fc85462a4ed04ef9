import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { EmulatorError } from './errors.js';
import { errorCode } from './system-error.js';

/** The file operations that a write is made of; tests break them off in between. */
export interface FileOperations {
  write(file: string, data: string): void;
  rename(from: string, to: string): void;
  remove(file: string): void;
  syncFolder(folder: string): void;
}

const TEMPORARY = '.tmp';

export const fileOperations: FileOperations = {
  write: (file, data) => {
    const descriptor = openSync(file, 'w', 0o600);
    try {
      writeSync(descriptor, data);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  },
  rename: renameSync,
  remove: (file) => rmSync(file, { force: true }),
  syncFolder: (folder) => {
    const descriptor = openSync(folder, 'r');
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  },
};

/**
 * JSON files in one folder, each replaced as a whole: written beside, synced, renamed, folder synced. A process
 * killed at any moment leaves the old or the new content, never a part.
 */
export class StateFiles {
  readonly folder: string;
  readonly #operations: FileOperations;

  constructor(folder: string, operations: FileOperations = fileOperations) {
    this.folder = folder;
    this.#operations = operations;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(folder)) {
      if (name.endsWith(TEMPORARY)) rmSync(path.join(folder, name), { force: true });
    }
  }

  /** Names without `.json`. */
  names(): readonly string[] {
    return readdirSync(this.folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => name.slice(0, -'.json'.length));
  }

  /** The content; undefined when there is no such file. Throws EMULATOR_STATE when it is not JSON. */
  read(name: string): unknown {
    const file = this.#file(name);
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw new EmulatorError('EMULATOR_STATE', `The state file ${file} cannot be read.`, { cause: error });
    }
    try {
      return JSON.parse(text, revive) as unknown;
    } catch (error) {
      throw damaged(file, 'it is not JSON', error);
    }
  }

  write(name: string, content: unknown): void {
    const file = this.#file(name);
    this.#operations.write(file + TEMPORARY, JSON.stringify(content, replace));
    this.#operations.rename(file + TEMPORARY, file);
    this.#operations.syncFolder(this.folder);
  }

  remove(name: string): void {
    this.#operations.remove(this.#file(name));
    this.#operations.syncFolder(this.folder);
  }

  #file(name: string): string {
    if (!/^[\w-]{1,100}$/.test(name)) throw new Error(`'${name}' is no name of a state file`);
    return path.join(this.folder, `${name}.json`);
  }
}

export function damaged(file: string, why: string, cause?: unknown): EmulatorError {
  return new EmulatorError(
    'EMULATOR_STATE',
    `The state file ${file} is damaged: ${why}. Move it away to start without what it holds.`,
    { cause },
  );
}

/** 64-bit integers are bigints, which JSON does not have. */
function replace(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? { $integer: value.toString() } : value;
}

function revive(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('$integer' in value)) return value;
  return BigInt(String(value.$integer));
}
