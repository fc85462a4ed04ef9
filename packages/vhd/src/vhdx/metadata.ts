import { guidFromBytes, guidToBytes, normaliseGuid } from '../bytes/guid.js';
import { isPowerOfTwo, KIB, MIB, TIB, toSafeNumber } from '../bytes/integers.js';
import type { Complain } from '../errors.js';
import { throwIt, VhdError } from '../errors.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import { corrupt, readExact } from '../io/random-access-file.js';
import type { ParentLocator } from './parent-locator.js';
import { decodeParentLocator, encodeParentLocator } from './parent-locator.js';
import type { Region } from './region-table.js';

/** MS-VHDX 2.6: the table takes the first 64 KiB of the region, the items follow. */
export const METADATA_TABLE_SIZE = 64 * KIB;
const TABLE_HEADER_SIZE = 32;
const ENTRY_SIZE = 32;
const MAX_ENTRIES = 2047;
const MAX_ITEM_LENGTH = MIB;

const IS_USER = 1;
const IS_VIRTUAL_DISK = 2;
const IS_REQUIRED = 4;

/** MS-VHDX 2.6.2: the known system items, their length where it is fixed, and the flags they are written with. */
const ITEMS = {
  fileParameters: { guid: 'CAA16737-FA36-4D43-B3B6-33F0AA44E76B', length: 8, flags: IS_REQUIRED },
  virtualDiskSize: {
    guid: '2FA54224-CD1B-4876-B211-5DBED83BF4B8',
    length: 8,
    flags: IS_REQUIRED | IS_VIRTUAL_DISK,
  },
  virtualDiskId: {
    guid: 'BECA12AB-B2E6-4523-93EF-C309E000C746',
    length: 16,
    flags: IS_REQUIRED | IS_VIRTUAL_DISK,
  },
  logicalSectorSize: {
    guid: '8141BF1D-A96F-4709-BA47-F233A8FAAB5F',
    length: 4,
    flags: IS_REQUIRED | IS_VIRTUAL_DISK,
  },
  physicalSectorSize: {
    guid: 'CDA348C7-445D-4471-9CC9-E9885251C556',
    length: 4,
    flags: IS_REQUIRED | IS_VIRTUAL_DISK,
  },
  parentLocator: { guid: 'A8D35F2D-B30B-454D-ABF7-D3D84834AB0C', length: undefined, flags: IS_REQUIRED },
} as const;
export type ItemName = keyof typeof ITEMS;
const ITEM_NAMES: readonly ItemName[] = [
  'fileParameters',
  'virtualDiskSize',
  'virtualDiskId',
  'logicalSectorSize',
  'physicalSectorSize',
  'parentLocator',
];

export const MAX_VHDX_SIZE = 64 * TIB;

/** What the metadata region says of the disk. Sizes in bytes. */
export interface VhdxMetadata {
  readonly blockSize: number;
  /** Fixed disks: blocks stay allocated. */
  readonly leaveBlocksAllocated: boolean;
  readonly hasParent: boolean;
  readonly virtualSize: number;
  readonly virtualDiskId: string;
  readonly logicalSectorSize: number;
  readonly physicalSectorSize: number;
  readonly parentLocator?: ParentLocator;
}

/** Where in the file the virtual size is stored, for resizing. */
export interface MetadataPlaces {
  readonly virtualSizeOffset: number;
}

interface FoundItem {
  readonly offset: number;
  readonly bytes: Buffer;
}

/** The whole content of a new metadata region, `regionLength` bytes. */
export function encodeMetadata(metadata: VhdxMetadata, regionLength: number): Buffer {
  const region = Buffer.alloc(regionLength);
  region.write('metadata', 0, 'latin1');
  const items = encodeItems(metadata);
  region.writeUInt16LE(items.length, 10);
  let end = METADATA_TABLE_SIZE;
  items.forEach(([name, bytes], index) => {
    if (end + bytes.length > regionLength) {
      throw new VhdError('VHD_INVALID_ARGUMENT', 'The parent locators are too long for the metadata region.');
    }
    const at = TABLE_HEADER_SIZE + index * ENTRY_SIZE;
    guidToBytes(ITEMS[name].guid).copy(region, at);
    region.writeUInt32LE(end, at + 16);
    region.writeUInt32LE(bytes.length, at + 20);
    region.writeUInt32LE(ITEMS[name].flags, at + 24);
    bytes.copy(region, end);
    end += bytes.length;
  });
  return region;
}

function encodeItems(metadata: VhdxMetadata): (readonly [ItemName, Buffer])[] {
  const parameters = Buffer.alloc(8);
  parameters.writeUInt32LE(metadata.blockSize, 0);
  parameters.writeUInt32LE((metadata.leaveBlocksAllocated ? 1 : 0) | (metadata.hasParent ? 2 : 0), 4);
  const items: (readonly [ItemName, Buffer])[] = [
    ['fileParameters', parameters],
    ['virtualDiskSize', encodeVirtualSize(metadata.virtualSize)],
    ['virtualDiskId', guidToBytes(metadata.virtualDiskId)],
    ['logicalSectorSize', word(metadata.logicalSectorSize)],
    ['physicalSectorSize', word(metadata.physicalSectorSize)],
  ];
  if (metadata.parentLocator !== undefined)
    items.push(['parentLocator', encodeParentLocator(metadata.parentLocator)]);
  return items;
}

export function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

export function encodeVirtualSize(size: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(size));
  return bytes;
}

/**
 * Reads and checks the metadata region.
 * @param complain is told of items that are wrong; what the disk cannot be read without is thrown all the same.
 * @throws VhdError `VHD_CORRUPT`; `VHD_UNSUPPORTED` for an unknown item that the file says must be understood.
 */
export async function readMetadata(
  file: RandomAccessFile,
  region: Region,
  complain: Complain = throwIt,
): Promise<{ metadata: VhdxMetadata; places: MetadataPlaces }> {
  const items = await readItems(file, region, complain);
  const need = (name: ItemName): FoundItem => {
    const item = items.get(name);
    if (item === undefined) throw corrupt(file.path, region.offset, `the metadata item ${name} is missing`);
    return item;
  };
  const parameters = need('fileParameters');
  const flags = parameters.bytes.readUInt32LE(4);
  const hasParent = (flags & 2) !== 0;
  const size = need('virtualDiskSize');
  const virtualSize = toSafeNumber(size.bytes.readBigUInt64LE(0), () =>
    corrupt(file.path, size.offset, 'the virtual disk size is absurd'),
  );
  const locator = hasParent ? need('parentLocator') : undefined;
  const metadata: VhdxMetadata = {
    blockSize: parameters.bytes.readUInt32LE(0),
    leaveBlocksAllocated: (flags & 1) !== 0,
    hasParent,
    virtualSize,
    virtualDiskId: guidFromBytes(need('virtualDiskId').bytes),
    logicalSectorSize: need('logicalSectorSize').bytes.readUInt32LE(0),
    physicalSectorSize: need('physicalSectorSize').bytes.readUInt32LE(0),
    ...(locator === undefined
      ? {}
      : { parentLocator: decodeParentLocator(locator.bytes, file.path, locator.offset) }),
  };
  checkMetadata(metadata, file.path, region.offset);
  return { metadata, places: { virtualSizeOffset: size.offset } };
}

async function readItems(
  file: RandomAccessFile,
  region: Region,
  complain: Complain,
): Promise<Map<ItemName, FoundItem>> {
  const table = await readExact(file, region.offset, METADATA_TABLE_SIZE, 'the metadata table');
  if (table.toString('latin1', 0, 8) !== 'metadata')
    throw corrupt(file.path, region.offset, 'no metadata table here');
  const count = table.readUInt16LE(10);
  if (count > MAX_ENTRIES)
    throw corrupt(file.path, region.offset, `the metadata table claims ${count} entries`);
  const items = new Map<ItemName, FoundItem>();
  for (const { at, guid, offset, length, flags } of metadataEntries(table)) {
    const where = region.offset + at;
    const name = (flags & IS_USER) === 0 ? itemName(guid) : undefined;
    if (name === undefined) {
      if ((flags & IS_REQUIRED) === 0) continue;
      complain(
        new VhdError('VHD_UNSUPPORTED', `${file.path} needs a metadata item that is not known: ${guid}.`, {
          path: file.path,
          offset: where,
        }),
      );
      continue;
    }
    const wanted = ITEMS[name].length;
    if (offset < METADATA_TABLE_SIZE || length > MAX_ITEM_LENGTH || offset + length > region.length) {
      complain(corrupt(file.path, where, `the metadata item ${name} lies outside its region`));
      continue;
    }
    if ((wanted !== undefined && length !== wanted) || items.has(name)) {
      complain(
        corrupt(file.path, where, `the metadata item ${name} is there twice or has the length ${length}`),
      );
      continue;
    }
    const bytes = await readExact(file, region.offset + offset, length, `the metadata item ${name}`);
    items.set(name, { offset: region.offset + offset, bytes });
  }
  return items;
}

/** An entry of the metadata table as it stands there; `at` is its place in the table, `offset` the item's in the region. */
export interface MetadataEntry {
  readonly at: number;
  readonly guid: string;
  readonly offset: number;
  readonly length: number;
  readonly flags: number;
}

export function metadataEntries(table: Buffer): readonly MetadataEntry[] {
  return Array.from({ length: table.readUInt16LE(10) }, (_, index) => {
    const at = TABLE_HEADER_SIZE + index * ENTRY_SIZE;
    return {
      at,
      guid: guidFromBytes(table.subarray(at)),
      offset: table.readUInt32LE(at + 16),
      length: table.readUInt32LE(at + 20),
      flags: table.readUInt32LE(at + 24),
    };
  });
}

/** The entry of a system item, for whoever changes it. */
export function isEntryOf(name: ItemName, entry: MetadataEntry): boolean {
  return (entry.flags & IS_USER) === 0 && entry.guid === ITEMS[name].guid;
}

function itemName(guid: string): ItemName | undefined {
  return ITEM_NAMES.find((name) => ITEMS[name].guid === guid);
}

function isSectorSize(size: number): boolean {
  return size === 512 || size === 4096;
}

function checkMetadata(metadata: VhdxMetadata, path: string, offset: number): void {
  const { blockSize, virtualSize, logicalSectorSize, physicalSectorSize } = metadata;
  if (!isSectorSize(logicalSectorSize) || !isSectorSize(physicalSectorSize)) {
    throw corrupt(
      path,
      offset,
      `sector sizes ${logicalSectorSize}/${physicalSectorSize} are not 512 or 4096`,
    );
  }
  if (blockSize < MIB || blockSize > 256 * MIB || !isPowerOfTwo(blockSize)) {
    throw corrupt(path, offset, `the block size ${blockSize} is not a power of two from 1 to 256 MiB`);
  }
  if (virtualSize === 0 || virtualSize > MAX_VHDX_SIZE || virtualSize % logicalSectorSize !== 0) {
    throw corrupt(path, offset, `the virtual size ${virtualSize} is not possible`);
  }
}

/** The identifier that the parent must have as its data write GUID (MS-VHDX 2.6.2.6.3). */
export function parentLinkages(locator: ParentLocator, path: string): readonly string[] {
  const linkages: string[] = [];
  for (const key of ['parent_linkage', 'parent_linkage2']) {
    const value = locator.get(key);
    if (value === undefined || value === '') continue;
    try {
      linkages.push(normaliseGuid(value));
    } catch (cause) {
      throw new VhdError('VHD_CORRUPT', `${path}: the parent locator's ${key} is no GUID.`, { path, cause });
    }
  }
  if (linkages.length === 0) {
    throw new VhdError('VHD_CORRUPT', `${path}: the parent locator has no parent_linkage.`, { path });
  }
  return linkages;
}
