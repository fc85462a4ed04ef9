import { roundUp } from '../bytes/integers.js';
import type { Complain } from '../errors.js';
import { throwIt, VhdError } from '../errors.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import { corrupt } from '../io/random-access-file.js';
import type { DynamicHeader } from './dynamic-header.js';
import { readDynamicHeader, readParentPaths } from './dynamic-header.js';
import type { VhdFooter } from './footer.js';
import { decodeFooter, FOOTER_SIZE, VHD_COOKIE } from './footer.js';

/** Virtual PC before 2004 wrote footers of 511 bytes (specification, Hard Disk Footer Format). */
const OLD_FOOTER_SIZE = 511;
/** Enough for 2 TiB in blocks of 64 KiB. */
const MAX_TABLE_ENTRIES = 2 ** 25;
const TABLE_ENTRY_SIZE = 4;

/** Everything that a VHD says of itself, checked. */
export interface VhdContents {
  readonly footer: VhdFooter;
  /** Where the footer at the end stands, or belongs when it is damaged and the copy at the start was used. */
  readonly footerOffset: number;
  readonly footerIsDamaged: boolean;
  /** There for dynamic and differencing disks. */
  readonly header?: DynamicHeader;
  /** The parent's paths as stored, in the order in which they are tried. */
  readonly parentPaths: readonly string[];
}

/**
 * Reads the file's structures.
 * @param complain is told of parent locators that cannot be; what the disk cannot be read without is thrown.
 * @throws VhdError `VHD_UNKNOWN_FORMAT`, `VHD_CORRUPT`, `VHD_UNSUPPORTED`
 */
export async function readVhd(file: RandomAccessFile, complain: Complain = throwIt): Promise<VhdContents> {
  const { footer, footerOffset, footerIsDamaged } = await readFooter(file);
  if (footer.dataOffset === undefined) {
    if (footer.currentSize > footerOffset) {
      throw corrupt(
        file.path,
        footerOffset,
        `the footer tells a size of ${footer.currentSize}, the file ends before`,
      );
    }
    return { footer, footerOffset, footerIsDamaged, parentPaths: [] };
  }
  const header = await readDynamicHeader(file, footer.dataOffset);
  const blocks = Math.ceil(footer.currentSize / header.blockSize);
  if (header.tableEntries < blocks || header.tableEntries > MAX_TABLE_ENTRIES) {
    throw corrupt(
      file.path,
      footer.dataOffset,
      `a table of ${header.tableEntries} entries for ${blocks} blocks`,
    );
  }
  if (header.tableOffset + blocks * TABLE_ENTRY_SIZE > (await file.size())) {
    throw corrupt(file.path, header.tableOffset, 'the file ends inside the block allocation table');
  }
  const parentPaths = footer.type === 'differencing' ? await readParentPaths(file, header, complain) : [];
  return { footer, footerOffset, footerIsDamaged, header, parentPaths };
}

/**
 * The footer, or its copy at the start.
 * @throws VhdError `VHD_UNKNOWN_FORMAT`, `VHD_CORRUPT`, `VHD_UNSUPPORTED`
 */
export async function readFooter(
  file: RandomAccessFile,
): Promise<Omit<VhdContents, 'header' | 'parentPaths'>> {
  const size = await file.size();
  let sawCookie = false;
  for (const footerSize of [FOOTER_SIZE, OLD_FOOTER_SIZE]) {
    const footerOffset = size - footerSize;
    if (footerOffset < 0) continue;
    const bytes = Buffer.alloc(FOOTER_SIZE);
    await file.read(bytes.subarray(0, footerSize), footerOffset);
    const footer = decodeFooter(bytes, file.path, footerOffset);
    if (footer !== undefined) return { footer, footerOffset, footerIsDamaged: false };
    sawCookie ||= bytes.toString('latin1', 0, 8) === VHD_COOKIE;
  }
  const copy = Buffer.alloc(FOOTER_SIZE);
  await file.read(copy, 0);
  const footer = decodeFooter(copy, file.path, 0);
  // Only the sparse forms have a copy; on a fixed disk this would be something that a guest wrote.
  if (footer !== undefined && footer.type !== 'fixed') {
    return { footer, footerOffset: roundUp(size, FOOTER_SIZE), footerIsDamaged: true };
  }
  sawCookie ||= copy.toString('latin1', 0, 8) === VHD_COOKIE;
  if (sawCookie)
    throw corrupt(file.path, Math.max(0, size - FOOTER_SIZE), 'the checksum of the footer is wrong');
  throw new VhdError('VHD_UNKNOWN_FORMAT', `${file.path} is not a VHD file.`, { path: file.path });
}
