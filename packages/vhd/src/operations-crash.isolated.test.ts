import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { KIB, MIB } from './bytes/integers.js';
import { openInOrder } from './chain.js';
import { changeDisk } from './change-disk.js';
import { compactDisk } from './compact.js';
import type * as Files from './io/random-access-file.js';
import { mergeDisk } from './merge.js';
import { openDisk } from './open.js';
import { resizeDisk } from './resize.js';
import { setParent } from './set-parent.js';
import { besideChild, createKind, DISK_KINDS, readAll } from './test-support/disk-kinds.js';
import type { DiskKind } from './test-support/disk-kinds.js';
import { MemoryFolder } from './test-support/memory-folder.js';
import { Random } from './test-support/random.js';
import { inTempFolder } from './test-support/temp-folder.js';

/** When it is there, its files stand for those of the disk. */
const memory = vi.hoisted(() => ({ folder: undefined as MemoryFolder | undefined }));
vi.mock('./io/random-access-file.js', async (original) => {
  const actual = await original<typeof Files>();
  return {
    ...actual,
    openFile: async (file: string, mode: Files.FileMode) =>
      memory.folder?.open(file) ?? (await actual.openFile(file, mode)),
  };
});

const SIZE = 3 * MIB + 8 * KIB;
const NAMES = ['base.img', 'middle.img', 'top.img'] as const;

/** Something that is done to files of a folder. */
interface Work {
  readonly name: string;
  readonly kinds: readonly DiskKind[];
  run(folder: string): Promise<unknown>;
  /** The disk whose content, as far as its size before and after goes, is the same at every moment. */
  readonly disk: (typeof NAMES)[number];
}

const of = (accepts: (kind: DiskKind) => boolean): readonly DiskKind[] => DISK_KINDS.filter(accepts);
const children = of((kind) => kind.type === 'differencing' && kind.sectorSize === 512);
const vhdx = of((kind) => kind.format === 'vhdx' && kind.sectorSize === 512);
const WORKS: readonly Work[] = [
  {
    name: 'merging into the parent',
    kinds: children,
    disk: 'top.img',
    run: (folder) => mergeDisk({ path: path.join(folder, 'top.img'), ...besideChild }),
  },
  {
    name: 'merging into the parent of the parent',
    kinds: children,
    disk: 'top.img',
    run: (folder) =>
      mergeDisk(
        { path: path.join(folder, 'top.img'), ...besideChild },
        { into: path.join(folder, 'base.img') },
      ),
  },
  {
    name: 'compacting',
    kinds: of((kind) => kind.type !== 'fixed'),
    disk: 'top.img',
    run: (folder) => compactDisk(path.join(folder, 'top.img')),
  },
  {
    name: 'compacting a parent',
    kinds: children,
    disk: 'top.img',
    run: (folder) => compactDisk(path.join(folder, 'middle.img')),
  },
  {
    name: 'shrinking',
    kinds: vhdx,
    disk: 'top.img',
    run: (folder) => resizeDisk(path.join(folder, 'top.img'), MIB + 4 * KIB, { force: true, ...besideChild }),
  },
  {
    name: 'growing',
    kinds: of((kind) => kind.type !== 'fixed' && (kind.format === 'vhdx' || kind.type !== 'differencing')),
    disk: 'top.img',
    run: (folder) => resizeDisk(path.join(folder, 'top.img'), 5 * MIB, besideChild),
  },
  {
    name: 'setting the parent',
    kinds: children,
    disk: 'top.img',
    run: (folder) => {
      const paths = { absoluteWin32Path: `D:\\${'x'.repeat(3000)}\\middle.img`, relativePath: 'middle.img' };
      return setParent(path.join(folder, 'top.img'), path.join(folder, 'middle.img'), { locators: paths });
    },
  },
  {
    name: 'changing the identifier',
    kinds: of((kind) => kind.type !== 'differencing'),
    disk: 'top.img',
    run: (folder) =>
      changeDisk(path.join(folder, 'top.img'), { identifier: '0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1F0' }),
  },
];

/** Makes the disks, with data and with what can be given up or moved. */
async function makeDisks(kind: DiskKind, folder: string): Promise<void> {
  const names = kind.type === 'differencing' ? NAMES : (['top.img'] as const);
  for (const [index, name] of names.entries()) {
    const below = names[index - 1];
    const file = path.join(folder, name);
    await createKind(kind, file, SIZE, below === undefined ? undefined : path.join(folder, below));
    const disk = await openDisk(file, besideChild);
    const random = new Random(index * 31 + 1);
    await disk.write(random.bytes(MIB), MIB);
    await disk.write(Buffer.alloc(MIB), 0);
    await disk.write(random.bytes(3000), index * 5000 + 777);
    await disk.write(random.bytes(70_000), SIZE - 100_000);
    if (kind.type !== 'fixed' && index > 0) await disk.writeZeroes(MIB, MIB);
    if (kind.type === 'dynamic') await disk.writeZeroes(0, MIB);
    await disk.close();
  }
}

async function contentOf(folder: string, name: string): Promise<Buffer> {
  const disk = await openInOrder(path.join(folder, name), besideChild);
  try {
    return await readAll(disk);
  } finally {
    await disk.close();
  }
}

/** Cuts the work off after every single operation on any of the files. */
async function cutEverywhere(work: Work, kind: DiskKind, folder: string): Promise<void> {
  await makeDisks(kind, folder);
  const state = await MemoryFolder.load(folder);
  const live = state.clone();
  memory.folder = live;
  const before = await contentOf(folder, work.disk);
  const first = live.operations.length;
  await work.run(folder);
  const operations = live.operations.slice(first);
  const after = await contentOf(folder, work.disk);
  const kept = Math.min(before.length, after.length);
  expect(after.subarray(0, kept).equals(before.subarray(0, kept))).toBe(true);
  expect(operations.length).toBeGreaterThan(1);
  for (let count = 0; count <= operations.length; count += 1) {
    memory.folder = state.clone();
    const what = `${work.name} cut off after ${count} of ${operations.length} operations`;
    const content = await contentOf(folder, work.disk);
    expect(content.equals(before) || content.equals(after), what).toBe(true);
    // Done again, it completes.
    if (count % 8 === 0) {
      await work.run(folder);
      expect((await contentOf(folder, work.disk)).equals(after), `${what}, and done again`).toBe(true);
    }
    const next = operations[count];
    if (next !== undefined) state.apply(next);
  }
}

afterEach(() => {
  memory.folder = undefined;
});

describe.each(WORKS)('$name', (work) => {
  it.each(work.kinds)(
    'can be cut off at any moment: $name',
    (kind) => inTempFolder((folder) => cutEverywhere(work, kind, folder)),
    120_000,
  );
});
