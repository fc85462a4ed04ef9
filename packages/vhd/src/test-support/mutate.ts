import { crc32cWithout } from '../bytes/crc32c.js';
import { newGuid } from '../bytes/guid.js';
import { KIB, MIB } from '../bytes/integers.js';
import { vhdChecksum } from '../vhd/footer.js';
import { NEW_VHDX_LAYOUT } from '../vhdx/create.js';
import { encodeHeader, HEADER_OFFSETS, HEADER_SIZE } from '../vhdx/header.js';
import type { LogChange } from '../vhdx/log-entry.js';
import { encodeLogEntry, LOG_SECTOR } from '../vhdx/log-entry.js';
import { REGION_TABLE_OFFSETS, REGION_TABLE_SIZE } from '../vhdx/region-table.js';
import type { Random } from './random.js';

/** Damage that a reader cannot see by checksums alone: they are right again afterwards. */
export type Mutation = (bytes: Buffer, random: Random) => void;

const NUMBERS = [
  0n,
  1n,
  2n,
  3n,
  6n,
  7n,
  8n,
  511n,
  512n,
  4096n,
  0x7fffn,
  0xffffn,
  0x100000n,
  0x200000n,
  0x300000n,
  0x400006n,
  0x7fffffffn,
  0x80000000n,
  0xfffff000n,
  0xffffffffn,
  0x100000000n,
  0x4000_0000_0000n,
  0x1f_ffff_ffff_ffffn,
  0x7fff_ffff_ffff_ffffn,
  0xffff_ffff_ffff_ffffn,
];

/** Puts a telling number, or noise, over a field of 1 to 8 bytes. */
export function changeField(
  bytes: Buffer,
  random: Random,
  from: number,
  to: number,
  bigEndian: boolean,
): void {
  const size = [1, 2, 4, 8][random.below(4)] ?? 4;
  const at = from + Math.floor(random.below(Math.max(1, to - from - size)) / size) * size;
  if (at + size > bytes.length) return;
  const field = Buffer.alloc(8);
  const number = NUMBERS[random.below(NUMBERS.length + 8)];
  if (number === undefined) random.bytes(8).copy(field);
  else field.writeBigUInt64LE(number);
  const part = field.subarray(0, size);
  bytes.set(bigEndian ? part.toReversed() : part, at);
}

function fixCrc(bytes: Buffer, offset: number, length: number): void {
  if (offset + length > bytes.length) return;
  const part = bytes.subarray(offset, offset + length);
  part.writeUInt32LE(crc32cWithout(part, 4), 4);
}

const header: Mutation = (bytes, random) => {
  for (const offset of random.below(2) === 0 ? HEADER_OFFSETS : [HEADER_OFFSETS[random.below(2)] ?? 0]) {
    changeField(bytes, random, offset + 8, offset + 80, false);
    fixCrc(bytes, offset, HEADER_SIZE);
  }
};

const regions: Mutation = (bytes, random) => {
  for (const offset of random.below(2) === 0 ? REGION_TABLE_OFFSETS : [REGION_TABLE_OFFSETS[0]]) {
    changeField(bytes, random, offset + 8, offset + 16 + 64 + random.below(2) * 64, false);
    fixCrc(bytes, offset, REGION_TABLE_SIZE);
  }
};

const metadataTable: Mutation = (bytes, random) =>
  changeField(
    bytes,
    random,
    NEW_VHDX_LAYOUT.metadataOffset + 8,
    NEW_VHDX_LAYOUT.metadataOffset + 32 + 6 * 32,
    false,
  );

const metadataItems: Mutation = (bytes, random) => {
  const items = NEW_VHDX_LAYOUT.metadataOffset + 64 * KIB;
  changeField(bytes, random, items, items + 40 + random.below(2) * 300, false);
};

const table: Mutation = (bytes, random) =>
  changeField(bytes, random, NEW_VHDX_LAYOUT.batOffset, NEW_VHDX_LAYOUT.batOffset + 12 * 8, false);

/** The bitmap entry of a differencing disk's first chunk, wherever the block size puts it, and the bitmaps themselves. */
const bitmaps: Mutation = (bytes, random) => {
  const ratio = [4096, 2048, 128, 32768, 16384][random.below(5)] ?? 4096;
  changeField(
    bytes,
    random,
    NEW_VHDX_LAYOUT.batOffset + ratio * 8,
    NEW_VHDX_LAYOUT.batOffset + ratio * 8 + 16,
    false,
  );
};

/** A log of a few entries, some of them wrong, that the headers name. */
const log: Mutation = (bytes, random) => {
  const logGuid = newGuid();
  const { logOffset, logLength } = NEW_VHDX_LAYOUT;
  const sequence = BigInt(random.below(3) === 0 ? random.below(1000) : 1);
  let at = random.below(4) === 0 ? logLength - LOG_SECTOR * (1 + random.below(3)) : 0;
  const tail = at;
  for (let count = 0; count <= random.below(4); count += 1) {
    const entry = encodeLogEntry({
      sequenceNumber: sequence + BigInt(random.below(6) === 0 ? random.below(3) : count),
      tail: random.below(6) === 0 ? random.below(300) * LOG_SECTOR : tail,
      logGuid,
      flushedFileOffset: random.below(8) === 0 ? random.below(64) * MIB : 0,
      lastFileOffset: random.below(3) === 0 ? random.below(64) * MIB : 4 * MIB,
      changes: Array.from({ length: random.below(4) }, () => logChange(random)),
    });
    if (random.below(3) === 0) changeField(entry, random, 8, 64 + 3 * 32, false);
    fixCrc(entry, 0, entry.length);
    for (let done = 0; done < entry.length; done += LOG_SECTOR) {
      entry.copy(bytes, logOffset + ((at + done) % logLength), done, done + LOG_SECTOR);
    }
    at = (at + entry.length) % logLength;
  }
  for (const [slot, offset] of HEADER_OFFSETS.entries()) {
    const fields = { sequenceNumber: BigInt(slot + 10), fileWriteGuid: newGuid(), dataWriteGuid: newGuid() };
    encodeHeader({ ...fields, logGuid, logLength, logOffset }).copy(bytes, offset);
  }
};

function logChange(random: Random): LogChange {
  const places = [
    0,
    64 * KIB,
    128 * KIB,
    192 * KIB,
    256 * KIB,
    MIB,
    2 * MIB,
    2 * MIB + 64 * KIB,
    3 * MIB,
    4 * MIB,
    70 * MIB,
  ];
  const fileOffset = places[random.below(places.length + 4)] ?? random.below(2 ** 31) * LOG_SECTOR;
  if (random.below(3) === 0) return { kind: 'zero', fileOffset, length: random.below(600) * LOG_SECTOR };
  const bytes = random.below(3) === 0 ? Buffer.alloc(LOG_SECTOR) : random.bytes(LOG_SECTOR);
  return { kind: 'data', fileOffset, bytes };
}

/** Bytes anywhere in the first mebibytes, checksums or not. */
const noise: Mutation = (bytes, random) => {
  const at = random.below(Math.min(bytes.length, 5 * MIB));
  random.bytes(8).copy(bytes, at, 0, 1 + random.below(8));
};

const vhdFooter: Mutation = (bytes, random) => {
  const offset = bytes.length - 512;
  changeField(bytes, random, offset + 8, offset + 85, true);
  bytes.writeUInt32BE(vhdChecksum(bytes.subarray(offset), 64), offset + 64);
  if (random.below(2) === 0) bytes.copy(bytes, 0, offset);
  if (random.below(4) === 0) bytes.fill(0, offset);
};

const vhdHeader: Mutation = (bytes, random) => {
  const part = bytes.subarray(512, 512 + 1024);
  if (part.length < 1024) return;
  changeField(part, random, random.below(2) === 0 ? 8 : 576, random.below(2) === 0 ? 64 : 650, true);
  part.writeUInt32BE(vhdChecksum(part, 36), 36);
};

const vhdTable: Mutation = (bytes, random) => changeField(bytes, random, 1536, 1536 + 16 * 4, true);

export const VHDX_MUTATIONS: readonly Mutation[] = [
  header,
  regions,
  metadataTable,
  metadataItems,
  table,
  table,
  bitmaps,
  log,
  log,
  noise,
];
export const VHD_MUTATIONS: readonly Mutation[] = [
  vhdFooter,
  vhdHeader,
  vhdHeader,
  vhdTable,
  vhdTable,
  noise,
];
