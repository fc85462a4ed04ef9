import { uuidFromBytes, uuidToBytes } from '../bytes/guid.js';
import { toSafeNumber } from '../bytes/integers.js';
import type { DiskType } from '../disk.js';
import { VhdError } from '../errors.js';
import { corrupt } from '../io/random-access-file.js';
import type { ChsGeometry } from './chs.js';

/** "Virtual Hard Disk Image Format Specification" 1.0, Hard Disk Footer Format. All fields are big-endian. */
export const FOOTER_SIZE = 512;
export const VHD_COOKIE = 'conectix';
/** Data offset of disks that have no dynamic header. */
export const NO_DATA_OFFSET = 0xffffffffffffffffn;
const CHECKSUM_FIELD = 64;
/** Seconds from 1970 to the format's epoch, 1 January 2000 UTC. */
const EPOCH_2000 = 946_684_800;
const TYPES: readonly (readonly [number, DiskType])[] = [
  [2, 'fixed'],
  [3, 'dynamic'],
  [4, 'differencing'],
];

export interface VhdFooter {
  readonly type: DiskType;
  /** Bytes. */
  readonly currentSize: number;
  readonly originalSize: number;
  readonly geometry: ChsGeometry;
  /** Upper-case GUID. */
  readonly uniqueId: string;
  /** Seconds since 1 January 2000 UTC. */
  readonly timeStamp: number;
  /** Offset of the dynamic header; undefined for fixed disks. */
  readonly dataOffset: number | undefined;
  readonly savedState: boolean;
}

/** Now, as the format counts time. */
export function vhdTime(milliseconds = Date.now()): number {
  return Math.max(0, Math.floor(milliseconds / 1000) - EPOCH_2000);
}

/** The bytes that a footer was decoded from. */
const asRead = new WeakMap<VhdFooter, Buffer>();

/** A footer that was read and not changed comes back as it was, with who made it: its copy stays the same as it. */
export function encodeFooter(footer: VhdFooter): Buffer {
  const read = asRead.get(footer);
  if (read !== undefined) return Buffer.from(read);
  const bytes = Buffer.alloc(FOOTER_SIZE);
  bytes.write(VHD_COOKIE, 0, 'latin1');
  bytes.writeUInt32BE(2, 8);
  bytes.writeUInt32BE(0x00010000, 12);
  bytes.writeBigUInt64BE(footer.dataOffset === undefined ? NO_DATA_OFFSET : BigInt(footer.dataOffset), 16);
  bytes.writeUInt32BE(footer.timeStamp, 24);
  // Tools take the size of disks made by unknown creators from the rounded CHS geometry. `win ` says that the current
  // size is meant exactly, as Hyper-V's disks do.
  bytes.write('win ', 28, 'latin1');
  bytes.writeUInt32BE(0x000a0000, 32);
  bytes.write('Wi2k', 36, 'latin1');
  bytes.writeBigUInt64BE(BigInt(footer.originalSize), 40);
  bytes.writeBigUInt64BE(BigInt(footer.currentSize), 48);
  bytes.writeUInt16BE(footer.geometry.cylinders, 56);
  bytes.writeUInt8(footer.geometry.heads, 58);
  bytes.writeUInt8(footer.geometry.sectorsPerTrack, 59);
  bytes.writeUInt32BE(TYPES.find(([, type]) => type === footer.type)?.[0] ?? 0, 60);
  uuidToBytes(footer.uniqueId).copy(bytes, 68);
  bytes.writeUInt8(footer.savedState ? 1 : 0, 84);
  bytes.writeUInt32BE(vhdChecksum(bytes, CHECKSUM_FIELD), CHECKSUM_FIELD);
  return bytes;
}

/**
 * undefined when this is no valid footer.
 * @throws VhdError `VHD_UNSUPPORTED`, `VHD_CORRUPT` when it is valid and says something that cannot be.
 */
export function decodeFooter(bytes: Buffer, path: string, offset: number): VhdFooter | undefined {
  if (bytes.length < FOOTER_SIZE || bytes.toString('latin1', 0, 8) !== VHD_COOKIE) return undefined;
  if (bytes.readUInt32BE(CHECKSUM_FIELD) !== vhdChecksum(bytes, CHECKSUM_FIELD)) return undefined;
  const typeNumber = bytes.readUInt32BE(60);
  const type = TYPES.find(([number]) => number === typeNumber)?.[1];
  if (type === undefined) {
    throw new VhdError('VHD_UNSUPPORTED', `${path} is a VHD of type ${typeNumber}; 2, 3 and 4 are known.`, {
      path,
      offset,
    });
  }
  const version = bytes.readUInt32BE(12) >>> 16;
  if (version !== 1) {
    throw new VhdError('VHD_UNSUPPORTED', `${path} is a VHD of version ${version}; only 1 is known.`, {
      path,
      offset,
    });
  }
  const absurd = (): VhdError => corrupt(path, offset, 'the footer holds an absurd size or offset');
  const currentSize = toSafeNumber(bytes.readBigUInt64BE(48), absurd);
  if (currentSize === 0 || currentSize % 512 !== 0)
    throw corrupt(path, offset, `the disk's size is ${currentSize}`);
  const footer: VhdFooter = {
    type,
    currentSize,
    originalSize: toSafeNumber(bytes.readBigUInt64BE(40), absurd),
    geometry: {
      cylinders: bytes.readUInt16BE(56),
      heads: bytes.readUInt8(58),
      sectorsPerTrack: bytes.readUInt8(59),
    },
    uniqueId: uuidFromBytes(bytes.subarray(68)),
    timeStamp: bytes.readUInt32BE(24),
    dataOffset: type === 'fixed' ? undefined : toSafeNumber(bytes.readBigUInt64BE(16), absurd),
    savedState: bytes.readUInt8(84) !== 0,
  };
  asRead.set(footer, Buffer.from(bytes.subarray(0, FOOTER_SIZE)));
  return footer;
}

/** One's complement of the sum of all bytes, the checksum's own left out. */
export function vhdChecksum(bytes: Uint8Array, field: number): number {
  let sum = 0;
  for (const byte of bytes) sum += byte;
  for (let at = field; at < field + 4; at += 1) sum -= bytes[at] ?? 0;
  return ~sum >>> 0;
}
