import type { Disk } from './disk.js';

const MBR_ENTRIES = 446;
const MBR_SIGNATURE = 0xaa55;
const PROTECTIVE = 0xee;
/** Sectors behind the last usable one that a GPT's second copy takes. */
const GPT_TAIL = 33;
const MOST_ENTRIES = 1024;

/**
 * The smallest size that keeps what the disk's partition table names: the end of its last partition (with room
 * for a GPT's second copy), in bytes. A disk without a table that can be read, and a VHD, cannot be made smaller: the
 * size that they have.
 */
export async function minimumSize(disk: Disk): Promise<number> {
  const sector = disk.logicalSectorSize;
  if (disk.format === 'vhd' || disk.virtualSize < 3 * sector) return disk.virtualSize;
  const first = await read(disk, 0, sector);
  if (first.readUInt16LE(510) !== MBR_SIGNATURE) return disk.virtualSize;
  const entries = [0, 1, 2, 3].map((index) =>
    first.subarray(MBR_ENTRIES + index * 16, MBR_ENTRIES + (index + 1) * 16),
  );
  if (entries.some((entry) => entry[4] === PROTECTIVE)) return await gptSize(disk, sector);
  const ends = entries
    .filter((entry) => entry[4] !== 0)
    .map((entry) => (entry.readUInt32LE(8) + entry.readUInt32LE(12)) * sector);
  return ends.length === 0 ? disk.virtualSize : Math.min(disk.virtualSize, Math.max(...ends));
}

async function gptSize(disk: Disk, sector: number): Promise<number> {
  const header = await read(disk, sector, sector);
  if (header.toString('latin1', 0, 8) !== 'EFI PART') return disk.virtualSize;
  const start = Number(header.readBigUInt64LE(72)) * sector;
  const count = Math.min(MOST_ENTRIES, header.readUInt32LE(80));
  const size = header.readUInt32LE(84);
  if (size < 128 || size > 4096 || start + count * size > disk.virtualSize) return disk.virtualSize;
  const table = await read(disk, start, count * size);
  let last = 0;
  for (let index = 0; index < count; index += 1) {
    const entry = table.subarray(index * size, (index + 1) * size);
    if (!entry.subarray(0, 16).some((byte) => byte !== 0)) continue;
    last = Math.max(last, Number(entry.readBigUInt64LE(40)));
  }
  return last === 0 ? disk.virtualSize : Math.min(disk.virtualSize, (last + 1 + GPT_TAIL) * sector);
}

async function read(disk: Disk, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  await disk.read(buffer, offset);
  return buffer;
}
