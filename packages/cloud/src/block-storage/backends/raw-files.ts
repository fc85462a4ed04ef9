import { open, rm, stat, truncate } from 'node:fs/promises';
import { convertDisk, copyDisk } from '@nova-hyperv/vhd';
import { BackendError, type LongWork } from './backend.js';
import type { DiskFiles, FileFormatOfVolumes, Scratch } from './disk-files.js';
import type { ReadableImage } from './image-content.js';
import { qemuImgConvert, rawToQcow2 } from './qemu-img.js';
import { transferOptions } from './vhdx-files.js';

const PIECE = 2 ** 20;
/** More than this is not read to find out whether it is all zeros. */
const MAX_LOOKED_AT = 2 ** 32;

/** Volumes as plain sparse files. */
export class RawFiles implements DiskFiles {
  readonly extension = '.raw';

  async create(path: string, bytes: number): Promise<void> {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.truncate(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  async copy(source: string, path: string, bytes: number): Promise<void> {
    await copyDisk(source, path);
    await this.grow(path, bytes);
  }

  async fromImage(
    image: ReadableImage,
    path: string,
    bytes: number,
    _scratch: Scratch,
    work: LongWork,
  ): Promise<void> {
    if (image.logicalSectorSize !== 512)
      throw new BackendError(
        'IMAGE_INVALID',
        `The image has sectors of ${image.logicalSectorSize} bytes and these volumes have 512; use another volume type.`,
      );
    if (image.as === 'qcow2') {
      const { path: source, virtualSize } = image;
      await qemuImgConvert({ source, from: 'qcow2', target: path, to: 'raw', virtualSize }, work);
      await this.grow(path, bytes);
      return;
    }
    const target = { path, format: 'raw', virtualSize: bytes } as const;
    await convertDisk({ path: image.path, as: image.as }, target, transferOptions(work));
  }

  async toFile(
    source: string,
    path: string,
    format: FileFormatOfVolumes,
    _scratch: Scratch,
    work: LongWork,
  ): Promise<void> {
    if (format === 'raw') return copyDisk(source, path, transferOptions(work));
    if (format === 'qcow2') return rawToQcow2(source, path, await this.size(source), work);
    return convertDisk({ path: source, as: 'raw' }, { path, format, type: 'dynamic' }, transferOptions(work));
  }

  async size(path: string): Promise<number> {
    return (await stat(path)).size;
  }

  async grow(path: string, bytes: number): Promise<void> {
    if ((await this.size(path)) < bytes) await truncate(path, bytes);
  }

  async shrinkBack(path: string, bytes: number): Promise<void> {
    if (await isEmptyFrom(path, bytes)) await truncate(path, bytes);
  }

  async remove(path: string): Promise<void> {
    await rm(path, { force: true });
  }
}

async function isEmptyFrom(path: string, offset: number): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size - offset > MAX_LOOKED_AT) return false;
    const [piece, zeros] = [Buffer.alloc(PIECE), Buffer.alloc(PIECE)];
    for (let at = offset; at < size; at += PIECE) {
      const { bytesRead } = await file.read(piece, 0, PIECE, at);
      if (!piece.subarray(0, bytesRead).equals(zeros.subarray(0, bytesRead))) return false;
    }
    return true;
  } finally {
    await file.close();
  }
}
