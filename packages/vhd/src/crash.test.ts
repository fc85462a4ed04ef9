import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { GIB, KIB, MIB } from './bytes/integers.js';
import type { Disk } from './disk.js';
import { openDisk, openDiskFile } from './open.js';
import { besideChild, createKind, DISK_KINDS } from './test-support/disk-kinds.js';
import type { DiskKind } from './test-support/disk-kinds.js';
import type { FileOperation } from './test-support/memory-file.js';
import { MemoryFile } from './test-support/memory-file.js';
import { Random } from './test-support/random.js';
import { inTempFolder } from './test-support/temp-folder.js';
import { SparseVhdDisk } from './vhd/sparse-disk.js';
import { VhdxDisk } from './vhdx/vhdx-disk.js';

/** More seeds on demand. */
const SEEDS = Number(process.env['VHD_CRASH_SEEDS'] ?? 1);
/** What is written and looked at; growing goes far beyond, so that the table of blocks must move. */
const SIZE = 3 * MIB + 8 * KIB;
const GROW_AT = 12;
const SHRINK_AT = 17;
const COMPACT_AT = 21;
const STEPS = 26;

/** One thing that was asked of the disk, and which operations on the file fell into its time. */
interface Asked {
  /** Ranges that it writes. */
  readonly writes: readonly { readonly offset: number; readonly bytes: Buffer }[];
  readonly isFlush: boolean;
  /** Operations that the file had seen when it settled. */
  readonly settledAt: number;
}

interface Recording {
  readonly start: MemoryFile;
  readonly operations: readonly FileOperation[];
  readonly asked: readonly Asked[];
  /** Content before the first. */
  readonly initial: Buffer;
}

async function record(kind: DiskKind, folder: string, seed: number): Promise<Recording> {
  const random = new Random(seed * 7919);
  const base = path.join(folder, 'base.disk');
  const file = path.join(folder, 'top.disk');
  if (kind.type === 'differencing') {
    await createKind(kind, base, SIZE);
    const parent = await openDisk(base);
    await parent.write(random.bytes(SIZE), 0);
    await parent.close();
  }
  await createKind(kind, file, SIZE, kind.type === 'differencing' ? base : undefined);
  const start = await MemoryFile.load(file);
  const live = new MemoryFile(file, start);
  const disk = await openDiskFile(live, besideChild);
  const initial = await readStart(disk);
  const asked: Asked[] = [];
  for (let count = 0; count < STEPS; count += 1) {
    if (count === GROW_AT) await grow(kind, disk);
    if (count === SHRINK_AT && kind.format === 'vhdx') await disk.resize(SIZE + MIB, { force: true });
    if (count === COMPACT_AT) await compact(disk);
    asked.push({ ...(await askSomething(disk, random)), settledAt: live.operations.length });
  }
  await disk.close();
  return { start, operations: live.operations, asked, initial };
}

async function grow(kind: DiskKind, disk: Disk): Promise<void> {
  if (kind.format === 'vhdx') await disk.resize(200 * GIB);
  else if (kind.type === 'dynamic') await disk.resize(600 * MIB);
}

async function compact(disk: Disk): Promise<void> {
  if (!(disk instanceof VhdxDisk || disk instanceof SparseVhdDisk)) throw new Error('a fixed disk');
  await disk.compact({});
}

async function readStart(disk: Disk): Promise<Buffer> {
  const bytes = Buffer.alloc(SIZE);
  await disk.read(bytes, 0);
  return bytes;
}

async function askSomething(disk: Disk, random: Random): Promise<Omit<Asked, 'settledAt'>> {
  const what = random.below(10);
  if (what < 3) {
    await disk.flush();
    return { writes: [], isFlush: true };
  }
  if (what < 6) return { writes: [await giveUp(disk, random, what < 5)], isFlush: false };
  const slots = 1 + random.below(6);
  const length = 512 * (1 + random.below(random.below(4) === 0 ? 1500 : 40)) - random.below(2) * 77;
  const first = random.below(Math.max(1, SIZE - slots * length));
  const writes = Array.from({ length: slots }, (_, index) => ({
    offset: first + index * length,
    bytes: random.bytes(length),
  })).filter(({ offset, bytes }) => offset + bytes.length <= SIZE);
  await Promise.all(writes.map(({ offset, bytes }) => disk.write(bytes, offset)));
  return { writes, isFlush: false };
}

/** A whole block or two are zeroed or discarded; what they read as then is what they were written with. */
async function giveUp(disk: Disk, random: Random, isZeroed: boolean): Promise<Asked['writes'][number]> {
  const offset = disk.blockSize * random.below(Math.floor(SIZE / disk.blockSize));
  const length = Math.min(SIZE - offset, disk.blockSize * (1 + random.below(2)));
  if (isZeroed) await disk.writeZeroes(offset, length);
  else await disk.discard(offset, length);
  const bytes = Buffer.alloc(length);
  await disk.read(bytes, offset);
  return { offset, bytes };
}

async function contentOf(file: MemoryFile): Promise<Buffer> {
  const disk = await openDiskFile(file, besideChild);
  try {
    return await readStart(disk);
  } finally {
    await disk.close();
  }
}

/** Where the two differ, as a byte offset; undefined = nowhere outside the ranges left out. */
function firstDifference(actual: Buffer, wanted: Buffer, leftOut: Asked['writes']): number | undefined {
  const masked = Buffer.from(actual);
  for (const { offset, bytes } of leftOut) wanted.copy(masked, offset, offset, offset + bytes.length);
  if (masked.equals(wanted)) return undefined;
  return masked.findIndex((byte, index) => byte !== wanted[index]);
}

/** Bytes of the write under way must be the old ones or the new ones. */
function isOldOrNew(actual: Buffer, old: Buffer, writes: Asked['writes']): boolean {
  return writes.every(({ offset, bytes }) =>
    bytes.every(
      (byte, index) => actual[offset + index] === byte || actual[offset + index] === old[offset + index],
    ),
  );
}

/** The process is killed after every single operation: what the file's system holds is all operations before it. */
async function cutEverywhere({ start, operations, asked, initial }: Recording): Promise<void> {
  const state = new MemoryFile(start.path, start);
  const model = Buffer.from(initial);
  let settled = 0;
  for (let cut = 0; cut <= operations.length; cut += 1) {
    for (let next = asked[settled]; next !== undefined && next.settledAt <= cut; next = asked[settled]) {
      for (const { offset, bytes } of next.writes) bytes.copy(model, offset);
      settled += 1;
    }
    const underWay = asked[settled]?.writes ?? [];
    const content = await contentOf(new MemoryFile(start.path, state));
    expect(firstDifference(content, model, underWay), `cut after ${cut} operations`).toBeUndefined();
    expect(isOldOrNew(content, model, underWay), `cut after ${cut} operations`).toBe(true);
    const operation = operations[cut];
    if (operation !== undefined) state.apply(operation);
  }
}

/**
 * The power fails: of what came after the last sync anything may be on the disk or not, and some of it in part, in
 * sectors of 512 bytes.
 */
async function failPower({ start, operations, asked, initial }: Recording, random: Random): Promise<void> {
  for (let round = 0; round < 120; round += 1) {
    const cut = random.below(operations.length + 1);
    const lastSync = operations.slice(0, cut).findLastIndex((operation) => operation.kind === 'sync');
    const state = new MemoryFile(start.path, start);
    for (const operation of operations.slice(0, lastSync + 1)) state.apply(operation);
    for (const operation of operations.slice(lastSync + 1, cut)) applyPart(state, operation, random);
    const lastFlush = asked.findLastIndex((each) => each.isFlush && each.settledAt <= cut);
    const model = Buffer.from(initial);
    for (const { writes } of asked.slice(0, lastFlush + 1)) {
      for (const { offset, bytes } of writes) bytes.copy(model, offset);
    }
    const since = asked.slice(lastFlush + 1).flatMap((each) => each.writes);
    const content = await contentOf(state);
    expect(firstDifference(content, model, since), `power lost after ${cut} operations`).toBeUndefined();
  }
}

function applyPart(state: MemoryFile, operation: FileOperation, random: Random): void {
  const fate = random.below(3);
  if (fate === 0) return;
  if (fate === 1 || operation.kind !== 'write') {
    state.apply(operation);
    return;
  }
  for (let at = 0; at < operation.bytes.length;) {
    const length = Math.min(operation.bytes.length - at, 512 - ((operation.offset + at) % 512));
    if (random.below(2) === 0) {
      state.apply({
        kind: 'write',
        offset: operation.offset + at,
        bytes: operation.bytes.subarray(at, at + length),
      });
    }
    at += length;
  }
}

const killable = DISK_KINDS.filter((kind) => kind.type !== 'fixed');

describe.each(killable)('$name', (kind) => {
  it.each(Array.from({ length: SEEDS }, (_, index) => index + 1))(
    'opens with all that was acknowledged when the process is killed after any operation (seed %i)',
    (seed) => inTempFolder(async (folder) => cutEverywhere(await record(kind, folder, seed))),
    SEEDS * 60_000,
  );
});

describe.each(killable.filter((kind) => kind.format === 'vhdx'))('$name', (kind) => {
  it.each(Array.from({ length: SEEDS }, (_, index) => index + 1))(
    'opens with all that was flushed when the power fails at any moment (seed %i)',
    (seed) => inTempFolder(async (folder) => failPower(await record(kind, folder, seed), new Random(seed))),
    SEEDS * 60_000,
  );
});
