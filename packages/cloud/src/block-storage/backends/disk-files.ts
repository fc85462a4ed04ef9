import type { LongWork } from './backend.js';
import type { ReadableImage } from './image-content.js';

/** `scratch` gives a path for something on the way. */
export type Scratch = <T>(work: (path: string) => Promise<T>) => Promise<T>;

export type FileFormatOfVolumes = 'raw' | 'vhd' | 'vhdx' | 'qcow2';

/** What is done to the file of one volume or snapshot. Sizes are of the disk inside, in bytes; nobody else has the files open. */
export interface DiskFiles {
  /** `.vhdx` */
  readonly extension: string;
  create(path: string, bytes: number): Promise<void>;
  /** A new file with the content of another, which may be smaller. */
  copy(source: string, path: string, bytes: number): Promise<void>;
  fromImage(
    image: ReadableImage,
    path: string,
    bytes: number,
    scratch: Scratch,
    work: LongWork,
  ): Promise<void>;
  toFile(
    source: string,
    path: string,
    format: FileFormatOfVolumes,
    scratch: Scratch,
    work: LongWork,
  ): Promise<void>;
  size(path: string): Promise<number>;
  grow(path: string, bytes: number): Promise<void>;
  /** Takes back a growth that was not acknowledged, unless there is data in what was added. */
  shrinkBack(path: string, bytes: number): Promise<void>;
  remove(path: string): Promise<void>;
}
