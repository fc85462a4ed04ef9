import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import {
  changeDisk,
  convertDisk,
  copyDisk,
  createVhdx,
  flattenedExtents,
  inspect,
  lockDisk,
  openDisk,
  recoverDisk,
  resizeDisk,
  type TransferOptions,
} from '@nova-hyperv/vhd';
import type { LongWork } from './backend.js';
import type { DiskFiles, FileFormatOfVolumes, Scratch } from './disk-files.js';
import type { ReadableImage } from './image-content.js';
import { qemuImgConvert, rawToQcow2 } from './qemu-img.js';
import { isThere } from './volume-files.js';

const PURPOSE = 'the volume service';

/** Takes a volume's disk from the hosts for a while. @throws VhdError VHD_IN_USE */
async function locked<T>(path: string, mode: 'read' | 'write', work: () => Promise<T>): Promise<T> {
  const lock = await lockDisk(path, mode, PURPOSE);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

/** {@link locked}, with what a host that was switched off left in the log of the disk brought into it. */
const settled = <T>(path: string, work: () => Promise<T>): Promise<T> =>
  locked(path, 'write', async () => {
    await recoverDisk(path);
    return work();
  });

export const transferOptions = ({ signal, onProgress }: LongWork): TransferOptions => ({
  ...(signal === undefined ? {} : { signal }),
  ...(onProgress === undefined ? {} : { onProgress: ({ done, total }) => onProgress(done, total) }),
});

/** Volumes as dynamic VHDX: what Hyper-V attaches from a share. */
export class VhdxFiles implements DiskFiles {
  readonly extension = '.vhdx';

  create(path: string, bytes: number): Promise<void> {
    return createVhdx({ path, type: 'dynamic', virtualSize: bytes });
  }

  async copy(source: string, path: string, bytes: number): Promise<void> {
    await settled(source, () => copyDisk(source, path));
    // A host that sees two disks of one identifier takes them for one.
    await changeDisk(path, { identifier: randomUUID() });
    if ((await this.size(path)) < bytes) await resizeDisk(path, bytes);
  }

  async fromImage(
    image: ReadableImage,
    path: string,
    bytes: number,
    scratch: Scratch,
    work: LongWork,
  ): Promise<void> {
    const convert = (from: string, as: 'raw' | 'disk'): Promise<void> =>
      convertDisk(
        { path: from, as },
        {
          path,
          format: 'vhdx',
          type: 'dynamic',
          virtualSize: bytes,
          // Partition tables count in sectors.
          logicalSectorSize: image.logicalSectorSize,
        },
        transferOptions(work),
      );
    if (image.as !== 'qcow2') return convert(image.path, image.as);
    return scratch(async (raw) => {
      const { path: source, virtualSize } = image;
      await qemuImgConvert({ source, from: 'qcow2', target: raw, to: 'raw', virtualSize }, work);
      await convert(raw, 'raw');
    });
  }

  async toFile(
    source: string,
    path: string,
    format: FileFormatOfVolumes,
    scratch: Scratch,
    work: LongWork,
  ): Promise<void> {
    await settled(source, async () => {
      if (format !== 'qcow2')
        return convertDisk({ path: source }, { path, format, type: 'dynamic' }, transferOptions(work));
      const virtualSize = await this.size(source);
      return scratch(async (raw) => {
        await convertDisk({ path: source }, { path: raw, format: 'raw' }, transferOptions(work));
        await rawToQcow2(raw, path, virtualSize, work);
      });
    });
  }

  async size(path: string): Promise<number> {
    return (await inspect(path)).virtualSize;
  }

  async grow(path: string, bytes: number): Promise<void> {
    await locked(path, 'write', () => resizeDisk(path, bytes));
  }

  async shrinkBack(path: string, bytes: number): Promise<void> {
    await settled(path, async () => {
      if (await this.#isEmptyFrom(path, bytes)) await resizeDisk(path, bytes, { force: true });
    });
  }

  async #isEmptyFrom(path: string, offset: number): Promise<boolean> {
    const disk = await openDisk(path, { readOnly: true });
    try {
      const extents = await flattenedExtents(disk, offset, disk.virtualSize - offset);
      return extents.every(({ state }) => state === 'zero');
    } finally {
      await disk.close();
    }
  }

  async remove(path: string): Promise<void> {
    if (await isThere(path)) await locked(path, 'write', () => rm(path, { force: true }));
  }
}
