import { crc32cWithout } from '../bytes/crc32c.js';
import { guidFromBytes, guidToBytes } from '../bytes/guid.js';
import { KIB, MIB, toSafeNumber } from '../bytes/integers.js';
import type { Complain } from '../errors.js';
import { throwIt, VhdError } from '../errors.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import { corrupt, readExact } from '../io/random-access-file.js';

/** MS-VHDX 2.2.3: two copies of the region table. */
export const REGION_TABLE_OFFSETS = [192 * KIB, 256 * KIB] as const;
export const REGION_TABLE_SIZE = 64 * KIB;
const MAX_ENTRIES = 2047;
const ENTRY_SIZE = 32;
const CHECKSUM_FIELD = 4;

export const BAT_REGION = '2DC27766-F623-4200-9D64-115E9BFD4A08';
export const METADATA_REGION = '8B7CA206-4790-4B9A-B8FE-575F050F886E';

export interface Region {
  readonly guid: string;
  readonly offset: number;
  readonly length: number;
  readonly required: boolean;
}

export interface Regions {
  readonly all: readonly Region[];
  readonly bat: Region;
  readonly metadata: Region;
}

export function encodeRegionTable(regions: readonly Region[]): Buffer {
  const bytes = Buffer.alloc(REGION_TABLE_SIZE);
  bytes.write('regi', 0, 'latin1');
  bytes.writeUInt32LE(regions.length, 8);
  regions.forEach((region, index) => {
    const at = 16 + index * ENTRY_SIZE;
    guidToBytes(region.guid).copy(bytes, at);
    bytes.writeBigUInt64LE(BigInt(region.offset), at + 16);
    bytes.writeUInt32LE(region.length, at + 24);
    bytes.writeUInt32LE(region.required ? 1 : 0, at + 28);
  });
  bytes.writeUInt32LE(crc32cWithout(bytes, CHECKSUM_FIELD), CHECKSUM_FIELD);
  return bytes;
}

/** Whether signature and checksum are right. */
export function isRegionTable(bytes: Buffer): boolean {
  if (bytes.toString('latin1', 0, 4) !== 'regi') return false;
  return bytes.readUInt32LE(CHECKSUM_FIELD) === crc32cWithout(bytes, CHECKSUM_FIELD);
}

/** undefined when signature or checksum is wrong. @throws VhdError `VHD_CORRUPT` */
export function decodeRegionTable(
  bytes: Buffer,
  path: string,
  tableOffset: number,
): readonly Region[] | undefined {
  if (!isRegionTable(bytes)) return undefined;
  const count = bytes.readUInt32LE(8);
  if (count > MAX_ENTRIES) throw corrupt(path, tableOffset, `the region table claims ${count} entries`);
  const regions: Region[] = [];
  for (let index = 0; index < count; index += 1) {
    const at = 16 + index * ENTRY_SIZE;
    const where = tableOffset + at;
    const offset = toSafeNumber(bytes.readBigUInt64LE(at + 16), () =>
      corrupt(path, where, 'a region offset is absurd'),
    );
    const length = bytes.readUInt32LE(at + 24);
    if (offset < MIB || offset % MIB !== 0 || length === 0 || length % MIB !== 0) {
      throw corrupt(path, where, `a region lies at ${offset}, length ${length}`);
    }
    const required = (bytes.readUInt32LE(at + 28) & 1) === 1;
    regions.push({ guid: guidFromBytes(bytes.subarray(at)), offset, length, required });
  }
  return regions;
}

/**
 * Reads the region table, from its second copy when the first is damaged.
 * @throws VhdError `VHD_CORRUPT`; `VHD_UNSUPPORTED` for an unknown region that the file says must be understood.
 */
export async function readRegions(file: RandomAccessFile): Promise<Regions> {
  for (const offset of REGION_TABLE_OFFSETS) {
    const bytes = await readExact(file, offset, REGION_TABLE_SIZE, 'the region table');
    const all = decodeRegionTable(bytes, file.path, offset);
    if (all !== undefined) return pickRegions(all, file.path, offset);
  }
  throw corrupt(file.path, REGION_TABLE_OFFSETS[0], 'neither of the two region tables is valid');
}

/**
 * The regions that a disk needs. `offset` is the table's.
 * @param complain is told of regions that are unknown or overlap; a missing one is thrown all the same.
 */
export function pickRegions(
  all: readonly Region[],
  path: string,
  offset: number,
  complain: Complain = throwIt,
): Regions {
  const only = (guid: string, name: string): Region => {
    const [region, another] = all.filter((candidate) => candidate.guid === guid);
    if (region === undefined || another !== undefined) {
      throw corrupt(
        path,
        offset,
        `the region table has ${region === undefined ? 'no' : 'two'} ${name} regions`,
      );
    }
    return region;
  };
  for (const region of all) {
    if (region.required && region.guid !== BAT_REGION && region.guid !== METADATA_REGION) {
      complain(
        new VhdError('VHD_UNSUPPORTED', `${path} needs a region that is not known: ${region.guid}.`, {
          path,
          offset,
        }),
      );
    }
  }
  let end = 0;
  for (const region of all.toSorted((a, b) => a.offset - b.offset)) {
    if (region.offset < end) complain(corrupt(path, offset, `two regions overlap at byte ${region.offset}`));
    end = Math.max(end, region.offset + region.length);
  }
  return { all, bat: only(BAT_REGION, 'BAT'), metadata: only(METADATA_REGION, 'metadata') };
}
