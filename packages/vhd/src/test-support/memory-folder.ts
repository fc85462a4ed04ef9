import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { RandomAccessFile } from '../io/random-access-file.js';
import type { FileOperation } from './memory-file.js';
import { MemoryFile } from './memory-file.js';

/** A change of one of several files. */
export interface FolderOperation {
  readonly path: string;
  readonly operation: FileOperation;
}

/** Copies of a folder's files in memory, that stand in for them and remember every change, over all in one order. */
export class MemoryFolder {
  readonly operations: FolderOperation[] = [];
  readonly #files: ReadonlyMap<string, MemoryFile>;

  private constructor(files: ReadonlyMap<string, MemoryFile>) {
    this.#files = files;
  }

  static async load(folder: string): Promise<MemoryFolder> {
    const files = new Map<string, MemoryFile>();
    for (const name of await readdir(folder)) {
      const file = path.join(folder, name);
      files.set(file, await MemoryFile.load(file));
    }
    return new MemoryFolder(files);
  }

  clone(): MemoryFolder {
    return new MemoryFolder(
      new Map([...this.#files].map(([file, from]) => [file, new MemoryFile(file, from)])),
    );
  }

  apply({ path: file, operation }: FolderOperation): void {
    this.#files.get(file)?.apply(operation);
  }

  /** undefined: the file is none of the folder's. */
  open(file: string): RandomAccessFile | undefined {
    const held = this.#files.get(file);
    if (held === undefined) return undefined;
    const note = (operation: FileOperation): void => void this.operations.push({ path: file, operation });
    return {
      path: file,
      read: (target, offset) => held.read(target, offset),
      size: () => held.size(),
      close: () => Promise.resolve(),
      write: (source, offset) => {
        note({ kind: 'write', offset, bytes: Buffer.from(source) });
        return held.write(source, offset);
      },
      truncate: (size) => {
        note({ kind: 'truncate', size });
        return held.truncate(size);
      },
      sync: () => {
        note({ kind: 'sync' });
        return held.sync();
      },
    };
  }
}
