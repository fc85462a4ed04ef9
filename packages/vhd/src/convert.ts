import { roundUp } from './bytes/integers.js';
import type { Disk, DiskFormat, OpenOptions, ResolveParent } from './disk.js';
import { createWhole } from './io/new-file.js';
import type { RandomAccessFile } from './io/random-access-file.js';
import { openFile } from './io/random-access-file.js';
import { UnpublishedFile } from './io/unpublished-file.js';
import { openDiskFile } from './open.js';
import { openRawFile } from './raw-disk.js';
import { flattenedExtents } from './segments.js';
import type { Piece, TransferOptions } from './transfer.js';
import { nonZeroParts, PIECE_SIZE, piecesOf, transfer } from './transfer.js';
import { fillVhd } from './vhd/create.js';
import { fillVhdx } from './vhdx/create.js';

/** Extents are asked for in ranges of this size, so that their list stays short. */
const WINDOW = 64 * PIECE_SIZE;

export interface ConvertSource {
  readonly path: string;
  /** `raw`: take the file as it is. `disk` (default): a VHD or VHDX, told by its content. */
  readonly as?: 'disk' | 'raw';
  /** For a differencing disk, which is converted with all that shows through from its parents. */
  readonly resolveParent?: ResolveParent;
}

export interface ConvertTarget {
  readonly path: string;
  readonly format: DiskFormat | 'raw';
  /** Dynamic when left out. */
  readonly type?: 'fixed' | 'dynamic';
  /** Bytes; the format's default when left out, as the sector sizes below. */
  readonly blockSize?: number;
  readonly logicalSectorSize?: number;
  readonly physicalSectorSize?: number;
  /** At least the source's; bytes. */
  readonly virtualSize?: number;
  /** GUID; a new one when it is left out. */
  readonly identifier?: string;
}

/**
 * Makes a disk of another form with the same content. Space that holds zeros is not taken. The target appears under
 * its name when it is whole; the source is only read.
 * @throws VhdError `VHD_EXISTS`, `VHD_ABORTED`, `VHD_INVALID_ARGUMENT`; what opening the source throws. No target is
 * left then.
 */
export async function convertDisk(
  source: ConvertSource,
  target: ConvertTarget,
  options: TransferOptions = {},
): Promise<void> {
  const from = await openSource(source);
  try {
    await createWhole(target.path, async (whole) => {
      const file = new UnpublishedFile(whole);
      await fillTarget(file, from, target);
      const to = target.format === 'raw' ? await openRawFile(file, false) : await openDiskFile(file);
      try {
        await copyContent(from, to, options);
      } finally {
        await to.close();
      }
    });
  } finally {
    await from.close();
  }
}

async function openSource(source: ConvertSource): Promise<Disk> {
  const file = await openFile(source.path, 'read', { findHoles: true });
  if (source.as === 'raw') return openRawFile(file, true);
  const options: OpenOptions = {
    readOnly: true,
    ...(source.resolveParent === undefined ? {} : { resolveParent: source.resolveParent }),
  };
  return openDiskFile(file, options);
}

/** Makes the new file a disk that reads as zeros. */
async function fillTarget(file: RandomAccessFile, from: Disk, target: ConvertTarget): Promise<void> {
  const sector = target.logicalSectorSize || 512;
  const virtualSize = roundUp(Math.max(target.virtualSize ?? 0, from.virtualSize), sector);
  const type = target.type ?? 'dynamic';
  const { format: _format, ...rest } = target;
  if (target.format === 'vhdx') return fillVhdx(file, { ...rest, type, virtualSize });
  if (target.format === 'vhd') return fillVhd(file, { ...rest, type, virtualSize });
  return file.truncate(virtualSize);
}

/** Writes into `to`, which reads as zeros, what `from` holds. */
async function copyContent(from: Disk, to: Disk, options: TransferOptions): Promise<void> {
  await transfer(dataPieces(from), from.virtualSize, options, async ({ offset }, buffer) => {
    await from.read(buffer, offset);
    for (const part of nonZeroParts(buffer)) {
      await to.write(buffer.subarray(part.offset, part.offset + part.length), offset + part.offset);
    }
  });
}

async function* dataPieces(disk: Disk): AsyncGenerator<Piece> {
  for (let at = 0; at < disk.virtualSize; at += WINDOW) {
    const length = Math.min(WINDOW, disk.virtualSize - at);
    for (const extent of await flattenedExtents(disk, at, length)) {
      if (extent.state === 'data') yield* piecesOf(extent.offset, extent.length);
    }
  }
}
