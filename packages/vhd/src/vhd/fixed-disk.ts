import { KeyedLocks } from '../io/locks.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import type { Segment } from '../segments.js';
import type { VhdFooter } from './footer.js';
import { encodeFooter, FOOTER_SIZE } from './footer.js';
import { VhdDisk } from './vhd-disk.js';
import type { VhdContents } from './vhd-file.js';

const WHOLE_DISK = 0;

/** A fixed VHD: the disk's bytes, then the footer. */
export class FixedVhdDisk extends VhdDisk {
  readonly blockSize = 0;
  readonly #locks = new KeyedLocks();

  constructor(file: RandomAccessFile, contents: VhdContents, readOnly: boolean) {
    super(file, contents.footer, readOnly, undefined);
  }

  protected segments(offset: number, length: number): Promise<readonly Segment[]> {
    return Promise.resolve([{ kind: 'data', offset, length, fileOffset: offset }]);
  }

  protected contiguous(offset: number): number {
    return offset;
  }

  protected writeRange(source: Uint8Array, offset: number): Promise<void> {
    return this.#locks.shared(WHOLE_DISK, () => this.file.write(source, offset));
  }

  protected writeFooters(footer: VhdFooter): Promise<void> {
    return this.file.write(encodeFooter(footer), footer.currentSize);
  }

  /** The new footer is written before the old one goes: at every moment there is one at the end. */
  protected async grow(virtualSize: number): Promise<void> {
    const footer = this.resizedFooter(virtualSize);
    await this.#locks.exclusive(WHOLE_DISK, async () => {
      const oldEnd = this.footer.currentSize;
      await this.file.write(encodeFooter(footer), virtualSize);
      await this.file.truncate(virtualSize + FOOTER_SIZE);
      await this.file.sync();
      await this.file.write(new Uint8Array(Math.min(FOOTER_SIZE, virtualSize - oldEnd)), oldEnd);
      this.footer = footer;
    });
  }
}
