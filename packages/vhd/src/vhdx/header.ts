import { crc32cWithout } from '../bytes/crc32c.js';
import { guidFromBytes, guidToBytes } from '../bytes/guid.js';
import { KIB, MIB, toSafeNumber } from '../bytes/integers.js';
import { VhdError } from '../errors.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import { corrupt, readExact } from '../io/random-access-file.js';

/** MS-VHDX 2.2: the two headers, of which the one with the higher sequence number is current. */
export const HEADER_OFFSETS = [64 * KIB, 128 * KIB] as const;
export const HEADER_SIZE = 4 * KIB;
const CHECKSUM_FIELD = 4;

/** MS-VHDX 2.2.2. GUIDs upper case, no braces. */
export interface VhdxHeader {
  readonly sequenceNumber: bigint;
  readonly fileWriteGuid: string;
  readonly dataWriteGuid: string;
  /** All zeros = the log is empty. */
  readonly logGuid: string;
  readonly logLength: number;
  readonly logOffset: number;
}

export interface CurrentHeader {
  readonly header: VhdxHeader;
  /** Which of the two places it was read from. */
  readonly slot: 0 | 1;
}

export function encodeHeader(header: VhdxHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_SIZE);
  bytes.write('head', 0, 'latin1');
  bytes.writeBigUInt64LE(header.sequenceNumber, 8);
  guidToBytes(header.fileWriteGuid).copy(bytes, 16);
  guidToBytes(header.dataWriteGuid).copy(bytes, 32);
  guidToBytes(header.logGuid).copy(bytes, 48);
  bytes.writeUInt16LE(0, 64);
  bytes.writeUInt16LE(1, 66);
  bytes.writeUInt32LE(header.logLength, 68);
  bytes.writeBigUInt64LE(BigInt(header.logOffset), 72);
  bytes.writeUInt32LE(crc32cWithout(bytes, CHECKSUM_FIELD), CHECKSUM_FIELD);
  return bytes;
}

/**
 * undefined when signature or checksum is wrong, which is how a header cut short by a crash looks.
 * @throws VhdError `VHD_UNSUPPORTED`, `VHD_CORRUPT`
 */
export function decodeHeader(bytes: Buffer, path: string, offset: number): VhdxHeader | undefined {
  if (bytes.toString('latin1', 0, 4) !== 'head') return undefined;
  if (bytes.readUInt32LE(CHECKSUM_FIELD) !== crc32cWithout(bytes, CHECKSUM_FIELD)) return undefined;
  const version = bytes.readUInt16LE(66);
  if (version !== 1) {
    throw new VhdError('VHD_UNSUPPORTED', `${path} is VHDX version ${version}; only version 1 is known.`, {
      path,
      offset,
    });
  }
  const logOffset = toSafeNumber(bytes.readBigUInt64LE(72), () =>
    corrupt(path, offset, 'the log offset is absurd'),
  );
  return {
    sequenceNumber: bytes.readBigUInt64LE(8),
    fileWriteGuid: guidFromBytes(bytes.subarray(16)),
    dataWriteGuid: guidFromBytes(bytes.subarray(32)),
    logGuid: guidFromBytes(bytes.subarray(48)),
    logLength: bytes.readUInt32LE(68),
    logOffset,
  };
}

/**
 * The current header: the valid one, and of two valid ones the newer.
 * @throws VhdError `VHD_CORRUPT` when neither is valid or the log that it names cannot be.
 */
export async function readCurrentHeader(file: RandomAccessFile): Promise<CurrentHeader> {
  const found: CurrentHeader[] = [];
  for (const slot of [0, 1] as const) {
    const offset = HEADER_OFFSETS[slot];
    const header = decodeHeader(
      await readExact(file, offset, HEADER_SIZE, 'the VHDX header'),
      file.path,
      offset,
    );
    if (header !== undefined) found.push({ header, slot });
  }
  const [first, second] = found;
  if (first === undefined)
    throw corrupt(file.path, HEADER_OFFSETS[0], 'neither of the two VHDX headers is valid');
  const current =
    second !== undefined && second.header.sequenceNumber > first.header.sequenceNumber ? second : first;
  checkLogPlace(current.header, file.path, HEADER_OFFSETS[current.slot]);
  return current;
}

function checkLogPlace(header: VhdxHeader, path: string, offset: number): void {
  const { logOffset, logLength } = header;
  if (logOffset % MIB !== 0 || logOffset < MIB || logLength % MIB !== 0 || logLength === 0) {
    throw corrupt(path, offset, `the header puts the log at ${logOffset}, length ${logLength}`);
  }
}

/**
 * Writes a changed header so that a valid one exists at every moment: into the place of the older one, then, once
 * that is stable, over the other, so that losing either later loses nothing (MS-VHDX 2.2.2.1).
 */
export async function updateHeaders(
  file: RandomAccessFile,
  current: CurrentHeader,
  changes: Partial<Pick<VhdxHeader, 'fileWriteGuid' | 'dataWriteGuid' | 'logGuid'>>,
): Promise<CurrentHeader> {
  let { header, slot } = current;
  for (let round = 0; round < 2; round += 1) {
    header = { ...header, ...changes, sequenceNumber: header.sequenceNumber + 1n };
    slot = slot === 0 ? 1 : 0;
    await file.write(encodeHeader(header), HEADER_OFFSETS[slot]);
    await file.sync();
  }
  return { header, slot };
}
