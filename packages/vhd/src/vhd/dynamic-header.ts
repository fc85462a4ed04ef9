import { uuidFromBytes, uuidToBytes, ZERO_GUID } from '../bytes/guid.js';
import { isPowerOfTwo, KIB, MIB, toSafeNumber } from '../bytes/integers.js';
import type { Complain } from '../errors.js';
import { throwIt, VhdError } from '../errors.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import { corrupt, readExact } from '../io/random-access-file.js';
import { NO_DATA_OFFSET, vhdChecksum } from './footer.js';

/** "Virtual Hard Disk Image Format Specification" 1.0, Dynamic Disk Header Format. */
export const DYNAMIC_HEADER_SIZE = 1024;
const COOKIE = 'cxsparse';
const CHECKSUM_FIELD = 36;
const PARENT_NAME_FIELD = 64;
const PARENT_NAME_SIZE = 512;
const LOCATORS_FIELD = 576;
const LOCATOR_SIZE = 24;
const MAX_LOCATORS = 8;
/** A path of 32767 characters, Windows' longest. */
const MAX_LOCATOR_DATA = 64 * KIB;

/** Platform codes of locators that hold Windows paths in UTF-16LE: relative and absolute. */
export const LOCATOR_RELATIVE = 0x57327275; // W2ru
export const LOCATOR_ABSOLUTE = 0x57326b75; // W2ku

export interface VhdLocator {
  readonly platform: number;
  /** Bytes set aside for the data, and where; the data itself is `length` bytes. */
  readonly space: number;
  readonly length: number;
  readonly offset: number;
}

export interface VhdParent {
  readonly uniqueId: string;
  /** The parent file's time of change, in seconds since 1 January 2000 UTC. */
  readonly timeStamp: number;
  /** The parent's name without folder, or a path. */
  readonly name: string;
  readonly locators: readonly VhdLocator[];
}

export interface DynamicHeader {
  /** Offset of the block allocation table. */
  readonly tableOffset: number;
  readonly tableEntries: number;
  readonly blockSize: number;
  /** Meaningful for differencing disks. */
  readonly parent: VhdParent;
}

export const NO_PARENT: VhdParent = { uniqueId: ZERO_GUID, timeStamp: 0, name: '', locators: [] };

export function encodeDynamicHeader(header: DynamicHeader): Buffer {
  const bytes = Buffer.alloc(DYNAMIC_HEADER_SIZE);
  const { parent } = header;
  bytes.write(COOKIE, 0, 'latin1');
  bytes.writeBigUInt64BE(NO_DATA_OFFSET, 8);
  bytes.writeBigUInt64BE(BigInt(header.tableOffset), 16);
  bytes.writeUInt32BE(0x00010000, 24);
  bytes.writeUInt32BE(header.tableEntries, 28);
  bytes.writeUInt32BE(header.blockSize, 32);
  uuidToBytes(parent.uniqueId).copy(bytes, 40);
  bytes.writeUInt32BE(parent.timeStamp, 56);
  const name = Buffer.from(parent.name, 'utf16le').swap16();
  name.copy(bytes, PARENT_NAME_FIELD, 0, PARENT_NAME_SIZE);
  parent.locators.slice(0, MAX_LOCATORS).forEach((locator, index) => {
    const at = LOCATORS_FIELD + index * LOCATOR_SIZE;
    bytes.writeUInt32BE(locator.platform, at);
    bytes.writeUInt32BE(locator.space, at + 4);
    bytes.writeUInt32BE(locator.length, at + 8);
    bytes.writeBigUInt64BE(BigInt(locator.offset), at + 16);
  });
  bytes.writeUInt32BE(vhdChecksum(bytes, CHECKSUM_FIELD), CHECKSUM_FIELD);
  return bytes;
}

/** @throws VhdError `VHD_CORRUPT` */
export async function readDynamicHeader(file: RandomAccessFile, offset: number): Promise<DynamicHeader> {
  const { path } = file;
  const bytes = await readExact(file, offset, DYNAMIC_HEADER_SIZE, 'the dynamic disk header');
  if (bytes.toString('latin1', 0, 8) !== COOKIE)
    throw corrupt(path, offset, 'there is no dynamic disk header');
  if (bytes.readUInt32BE(CHECKSUM_FIELD) !== vhdChecksum(bytes, CHECKSUM_FIELD)) {
    throw corrupt(path, offset, 'the checksum of the dynamic disk header is wrong');
  }
  const absurd = (): VhdError => corrupt(path, offset, 'the dynamic disk header holds an absurd offset');
  const blockSize = bytes.readUInt32BE(32);
  if (!isPowerOfTwo(blockSize) || blockSize < 4 * KIB || blockSize > 256 * MIB) {
    throw corrupt(path, offset, `blocks of ${blockSize} bytes`);
  }
  const locators: VhdLocator[] = [];
  for (let index = 0; index < MAX_LOCATORS; index += 1) {
    const at = LOCATORS_FIELD + index * LOCATOR_SIZE;
    const platform = bytes.readUInt32BE(at);
    if (platform === 0) continue;
    locators.push({
      platform,
      space: bytes.readUInt32BE(at + 4),
      length: bytes.readUInt32BE(at + 8),
      offset: toSafeNumber(bytes.readBigUInt64BE(at + 16), absurd),
    });
  }
  return {
    tableOffset: toSafeNumber(bytes.readBigUInt64BE(16), absurd),
    tableEntries: bytes.readUInt32BE(28),
    blockSize,
    parent: {
      uniqueId: uuidFromBytes(bytes.subarray(40)),
      timeStamp: bytes.readUInt32BE(56),
      name: decodeName(bytes.subarray(PARENT_NAME_FIELD, PARENT_NAME_FIELD + PARENT_NAME_SIZE)),
      locators,
    },
  };
}

function decodeName(field: Buffer): string {
  const text = Buffer.from(field).swap16().toString('utf16le');
  const end = text.indexOf('\0');
  return end === -1 ? text : text.slice(0, end);
}

/**
 * The parent's paths in the order in which they are tried: relative, absolute, then the bare name in the header.
 * @throws VhdError `VHD_CORRUPT` when a locator's data lies outside the file.
 */
export async function readParentPaths(
  file: RandomAccessFile,
  header: DynamicHeader,
  complain: Complain = throwIt,
): Promise<readonly string[]> {
  const paths: string[] = [];
  for (const platform of [LOCATOR_RELATIVE, LOCATOR_ABSOLUTE]) {
    for (const locator of header.parent.locators.filter((each) => each.platform === platform)) {
      try {
        paths.push(await readLocatorPath(file, locator));
      } catch (error) {
        if (!(error instanceof VhdError)) throw error;
        complain(error);
      }
    }
  }
  if (header.parent.name !== '') paths.push(header.parent.name);
  return [...new Set(paths.filter((each) => each !== ''))];
}

async function readLocatorPath(file: RandomAccessFile, locator: VhdLocator): Promise<string> {
  if (locator.length > MAX_LOCATOR_DATA || locator.length % 2 !== 0)
    throw corrupt(file.path, locator.offset, `a parent locator of ${locator.length} bytes`);
  const data = await readExact(file, locator.offset, locator.length, 'a parent locator');
  return data.toString('utf16le').replace(/\0+$/, '');
}
