import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Disk, DiskFormat } from '@nova-hyperv/vhd';
import { convertDisk, createVhd, createVhdx, openDisk } from '@nova-hyperv/vhd';
import type { Line, Scale } from './compare.js';
import { KIB, MIB, seconds, tool } from './compare.js';

/** Requests to an open disk. Opening, closing and the start of a process are outside the time on both sides. */
interface Access {
  readonly name: string;
  readonly isWrite: boolean;
  /** The disk is a new one each time, so that writing must allocate. */
  readonly isFresh: boolean;
  readonly block: number;
  readonly count: number;
  /** Requests under way at once. */
  readonly depth: number;
  /** From one request's offset to the next one's; wraps at the end of the disk. */
  readonly step: number;
}

interface Kind {
  readonly name: string;
  readonly format: DiskFormat;
  readonly type: 'fixed' | 'dynamic';
  /** As QEMU calls it. */
  readonly driver: 'vhdx' | 'vpc';
}

const KINDS: readonly Kind[] = [
  { name: 'VHDX dynamic', format: 'vhdx', type: 'dynamic', driver: 'vhdx' },
  { name: 'VHD dynamic', format: 'vhd', type: 'dynamic', driver: 'vpc' },
  { name: 'VHD fixed', format: 'vhd', type: 'fixed', driver: 'vpc' },
];

/** An odd number of blocks, far from the last request: reaches every block, and looks random to caches. */
const SCATTER = 7919 * 4 * KIB;
const SEQUENTIAL = MIB;

function accesses({ diskSize, randomRequests }: Scale): readonly Access[] {
  const whole = { block: SEQUENTIAL, step: SEQUENTIAL, count: diskSize / SEQUENTIAL, depth: 4 };
  const random = { block: 4 * KIB, step: SCATTER, count: randomRequests };
  return [
    { ...whole, name: 'sequential read, 1 MiB', isWrite: false, isFresh: false },
    { ...whole, name: 'sequential write, 1 MiB', isWrite: true, isFresh: false },
    { ...whole, name: 'sequential write, 1 MiB, allocating', isWrite: true, isFresh: true },
    { ...random, name: 'random read, 4 KiB, depth 1', isWrite: false, isFresh: false, depth: 1 },
    { ...random, name: 'random read, 4 KiB, depth 16', isWrite: false, isFresh: false, depth: 16 },
    { ...random, name: 'random write, 4 KiB, depth 1', isWrite: true, isFresh: false, depth: 1 },
    { ...random, name: 'random write, 4 KiB, depth 16', isWrite: true, isFresh: false, depth: 16 },
    { ...random, name: 'random write, 4 KiB, depth 16, allocating', isWrite: true, isFresh: true, depth: 16 },
  ];
}

/** Each side has a full disk of its own, made by the same program. */
export async function accessLines(folder: string, scale: Scale): Promise<readonly Line[]> {
  const lines: Line[] = [];
  for (const kind of KINDS) {
    const [full, theirs] = [`${kind.driver}-${kind.type}`, `${kind.driver}-${kind.type}-theirs`].map((name) =>
      path.join(folder, name),
    );
    if (full === undefined || theirs === undefined) continue;
    await makeFull(kind, full, scale.diskSize);
    await convertDisk({ path: full }, { path: theirs, format: kind.format, type: kind.type });
    for (const access of accesses(scale)) {
      if (access.isFresh && kind.type === 'fixed') continue;
      lines.push(
        accessLine(kind, access, access.isFresh ? path.join(folder, 'fresh') : [full, theirs], scale),
      );
    }
  }
  return lines;
}

function accessLine(kind: Kind, access: Access, files: string | readonly string[], scale: Scale): Line {
  const [ours = '', theirs = ''] = typeof files === 'string' ? [files, files] : files;
  const make = access.isFresh ? (file: string) => makeEmpty(kind, file, scale.diskSize) : undefined;
  return {
    group: kind.name,
    name: access.name,
    against: 'qemu-img bench',
    bytes: access.block * access.count,
    ours: async () => {
      await make?.(ours);
      return runOurs(ours, access);
    },
    theirs: async () => {
      await make?.(theirs);
      return runTheirs(theirs, kind, access);
    },
  };
}

async function makeEmpty(kind: Kind, file: string, virtualSize: number): Promise<void> {
  await rm(file, { force: true });
  if (kind.format === 'vhdx') await createVhdx({ path: file, type: kind.type, virtualSize });
  else await createVhd({ path: file, type: kind.type, virtualSize });
}

async function makeFull(kind: Kind, file: string, size: number): Promise<void> {
  await makeEmpty(kind, file, size);
  const disk = await openDisk(file);
  const bytes = Buffer.alloc(MIB, 0x5a);
  for (let at = 0; at < size; at += bytes.length) await disk.write(bytes, at);
  await disk.close();
}

async function runOurs(file: string, access: Access): Promise<number> {
  const disk = await openDisk(file, { readOnly: !access.isWrite });
  try {
    return await seconds(() => request(disk, access));
  } finally {
    await disk.close();
  }
}

async function request(disk: Disk, { isWrite, block, count, depth, step }: Access): Promise<void> {
  let started = 0;
  const worker = async (): Promise<void> => {
    const buffer = Buffer.alloc(block, 0x5a);
    while (started < count) {
      const offset = (started * step) % disk.virtualSize;
      started += 1;
      if (isWrite) await disk.write(buffer, offset);
      else await disk.read(buffer, offset);
    }
  };
  await Promise.all(Array.from({ length: depth }, worker));
}

/** Page cache, no flush asked for while it runs: its default cache mode. */
async function runTheirs(file: string, kind: Kind, access: Access): Promise<number> {
  const { block, count, depth, step, isWrite } = access;
  const sizes = ['-s', String(block), '-S', String(step), '-c', String(count), '-d', String(depth)];
  const output = await tool(
    'qemu-img',
    'bench',
    '-f',
    kind.driver,
    ...sizes,
    ...(isWrite ? ['-w'] : []),
    file,
  );
  const told = /completed in ([0-9.]+) seconds/.exec(output)?.[1];
  if (told === undefined) throw new Error(`qemu-img bench did not tell its time: ${output}`);
  return Number(told);
}
