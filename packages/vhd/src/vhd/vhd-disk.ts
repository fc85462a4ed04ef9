import type { Disk, DiskType } from '../disk.js';
import { VhdError } from '../errors.js';
import { FileDisk } from '../file-disk.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import { checkVirtualSize } from '../limits.js';
import { chsGeometry } from './chs.js';
import type { VhdFooter } from './footer.js';
import { encodeFooter } from './footer.js';

/** What VHD disks of all types share: the footer. */
export abstract class VhdDisk extends FileDisk {
  readonly format = 'vhd';
  readonly type: DiskType;
  readonly logicalSectorSize = 512;
  readonly physicalSectorSize = 512;
  protected footer: VhdFooter;

  protected constructor(
    file: RandomAccessFile,
    footer: VhdFooter,
    readOnly: boolean,
    parent: Disk | undefined,
  ) {
    super(file, readOnly, parent);
    this.footer = footer;
    this.type = footer.type;
  }

  get virtualSize(): number {
    return this.footer.currentSize;
  }

  /** What a child of this disk must name as its parent. */
  get uniqueId(): string {
    return this.footer.uniqueId;
  }

  protected footerBytes(): Buffer {
    return encodeFooter(this.footer);
  }

  /** The footer for another size. @throws VhdError `VHD_INVALID_ARGUMENT` */
  protected resizedFooter(virtualSize: number): VhdFooter {
    checkVirtualSize('vhd', virtualSize);
    if (virtualSize % 512 !== 0) {
      throw new VhdError('VHD_INVALID_ARGUMENT', `${virtualSize} is not a multiple of 512.`, {
        path: this.file.path,
      });
    }
    return { ...this.footer, currentSize: virtualSize, geometry: chsGeometry(virtualSize) };
  }

  /** Changes what children must name as their parent, before anything else is changed. */
  async identify(uniqueId: string): Promise<void> {
    const footer = { ...this.footer, uniqueId };
    await this.writeFooters(footer);
    await this.file.sync();
    this.footer = footer;
  }

  /** Puts a footer into its places. A reader believes the one at the end, which is written first. */
  protected abstract writeFooters(footer: VhdFooter): Promise<void>;

  protected flushFile(): Promise<void> {
    return this.file.sync();
  }

  protected finish(): Promise<void> {
    return this.file.sync();
  }
}
