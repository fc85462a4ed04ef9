import { crc32cWithout } from '../bytes/crc32c.js';
import { guidFromBytes, guidToBytes } from '../bytes/guid.js';

/** MS-VHDX 2.3.1: everything in the log is made of sectors of this size. */
export const LOG_SECTOR = 4096;
const ENTRY_HEADER_SIZE = 64;
const DESCRIPTOR_SIZE = 32;
const CHECKSUM_FIELD = 4;

/** A change that a log entry describes: 4096 new bytes at an offset of the file, or a range of zeros. */
export type LogChange =
  | { readonly kind: 'data'; readonly fileOffset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'zero'; readonly fileOffset: number; readonly length: number };

export interface LogEntry {
  readonly sequenceNumber: bigint;
  /** Offset in the log of the oldest entry that was still needed when this one was written. */
  readonly tail: number;
  readonly logGuid: string;
  /** Bytes of the file that were on stable storage when the entry was written: a shorter file lost something. */
  readonly flushedFileOffset: number;
  /** Bytes that the file must have for everything that it holds. */
  readonly lastFileOffset: number;
  readonly changes: readonly LogChange[];
}

/** Bytes that an entry of so many changes takes in the log. */
export function logEntryLength(changes: number, dataChanges: number): number {
  return descriptorArea(changes) + dataChanges * LOG_SECTOR;
}

function descriptorArea(changes: number): number {
  return Math.ceil((ENTRY_HEADER_SIZE + changes * DESCRIPTOR_SIZE) / LOG_SECTOR) * LOG_SECTOR;
}

/** MS-VHDX 2.3.1.1 to 2.3.1.4. */
export function encodeLogEntry(entry: LogEntry): Buffer {
  const dataCount = entry.changes.filter((change) => change.kind === 'data').length;
  const bytes = Buffer.alloc(logEntryLength(entry.changes.length, dataCount));
  bytes.write('loge', 0, 'latin1');
  bytes.writeUInt32LE(bytes.length, 8);
  bytes.writeUInt32LE(entry.tail, 12);
  bytes.writeBigUInt64LE(entry.sequenceNumber, 16);
  bytes.writeUInt32LE(entry.changes.length, 24);
  guidToBytes(entry.logGuid).copy(bytes, 32);
  bytes.writeBigUInt64LE(BigInt(entry.flushedFileOffset), 48);
  bytes.writeBigUInt64LE(BigInt(entry.lastFileOffset), 56);
  let sector = descriptorArea(entry.changes.length);
  entry.changes.forEach((change, index) => {
    const at = ENTRY_HEADER_SIZE + index * DESCRIPTOR_SIZE;
    bytes.writeBigUInt64LE(BigInt(change.fileOffset), at + 16);
    bytes.writeBigUInt64LE(entry.sequenceNumber, at + 24);
    if (change.kind === 'zero') {
      bytes.write('zero', at, 'latin1');
      bytes.writeBigUInt64LE(BigInt(change.length), at + 8);
      return;
    }
    bytes.write('desc', at, 'latin1');
    // The sector's first 8 and last 4 bytes make room for its own signature and sequence number.
    bytes.set(change.bytes.subarray(LOG_SECTOR - 4), at + 4);
    bytes.set(change.bytes.subarray(0, 8), at + 8);
    bytes.write('data', sector, 'latin1');
    bytes.writeUInt32LE(Number(entry.sequenceNumber >> 32n), sector + 4);
    bytes.set(change.bytes.subarray(8, LOG_SECTOR - 4), sector + 8);
    bytes.writeUInt32LE(Number(entry.sequenceNumber & 0xffffffffn), sector + LOG_SECTOR - 4);
    sector += LOG_SECTOR;
  });
  bytes.writeUInt32LE(crc32cWithout(bytes, CHECKSUM_FIELD), CHECKSUM_FIELD);
  return bytes;
}

/** What can be told from the first sector alone, before the cost of a checksum. */
export function peekLogEntry(
  sector: Buffer,
  logLength: number,
): { length: number; logGuid: string } | undefined {
  if (sector.toString('latin1', 0, 4) !== 'loge') return undefined;
  const length = sector.readUInt32LE(8);
  const tail = sector.readUInt32LE(12);
  const changes = sector.readUInt32LE(24);
  if (length === 0 || length % LOG_SECTOR !== 0 || length > logLength) return undefined;
  if (tail % LOG_SECTOR !== 0 || tail >= logLength) return undefined;
  if (sector.readBigUInt64LE(16) === 0n || descriptorArea(changes) > length) return undefined;
  return { length, logGuid: guidFromBytes(sector.subarray(32)) };
}

/** undefined = not a valid entry, be it torn, stale or made up. `bytes` is the whole entry. */
export function decodeLogEntry(bytes: Buffer): LogEntry | undefined {
  if (bytes.readUInt32LE(CHECKSUM_FIELD) !== crc32cWithout(bytes, CHECKSUM_FIELD)) return undefined;
  const sequenceNumber = bytes.readBigUInt64LE(16);
  const count = bytes.readUInt32LE(24);
  const changes: LogChange[] = [];
  let sector = descriptorArea(count);
  for (let index = 0; index < count; index += 1) {
    const at = ENTRY_HEADER_SIZE + index * DESCRIPTOR_SIZE;
    if (bytes.readBigUInt64LE(at + 24) !== sequenceNumber) return undefined;
    const fileOffset = Number(bytes.readBigUInt64LE(at + 16));
    if (!Number.isSafeInteger(fileOffset) || fileOffset % LOG_SECTOR !== 0) return undefined;
    const signature = bytes.toString('latin1', at, at + 4);
    if (signature === 'zero') {
      const length = Number(bytes.readBigUInt64LE(at + 8));
      if (!Number.isSafeInteger(length) || length % LOG_SECTOR !== 0) return undefined;
      changes.push({ kind: 'zero', fileOffset, length });
      continue;
    }
    const data = signature === 'desc' ? decodeDataSector(bytes, at, sector, sequenceNumber) : undefined;
    if (data === undefined) return undefined;
    changes.push({ kind: 'data', fileOffset, bytes: data });
    sector += LOG_SECTOR;
  }
  if (sector !== bytes.length) return undefined;
  return {
    sequenceNumber,
    tail: bytes.readUInt32LE(12),
    logGuid: guidFromBytes(bytes.subarray(32)),
    flushedFileOffset: Number(bytes.readBigUInt64LE(48)),
    lastFileOffset: Number(bytes.readBigUInt64LE(56)),
    changes,
  };
}

function decodeDataSector(bytes: Buffer, at: number, sector: number, sequence: bigint): Buffer | undefined {
  if (sector + LOG_SECTOR > bytes.length || bytes.toString('latin1', sector, sector + 4) !== 'data')
    return undefined;
  const high = BigInt(bytes.readUInt32LE(sector + 4));
  const low = BigInt(bytes.readUInt32LE(sector + LOG_SECTOR - 4));
  if (((high << 32n) | low) !== sequence) return undefined;
  const data = Buffer.from(bytes.subarray(sector, sector + LOG_SECTOR));
  bytes.copy(data, LOG_SECTOR - 4, at + 4, at + 8);
  bytes.copy(data, 0, at + 8, at + 16);
  return data;
}
