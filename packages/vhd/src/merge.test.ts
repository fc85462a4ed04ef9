import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { KIB, MIB } from './bytes/integers.js';
import { inspect } from './inspect.js';
import { mergeDisk } from './merge.js';
import { openDisk } from './open.js';
import { besideChild, createKind, DISK_KINDS, readFileOfDisk } from './test-support/disk-kinds.js';
import type { DiskKind } from './test-support/disk-kinds.js';
import { Random } from './test-support/random.js';
import { inTempFolder } from './test-support/temp-folder.js';

const SIZE = 6 * MIB + 8 * KIB;
const children = DISK_KINDS.filter((kind) => kind.type === 'differencing');

interface Chain {
  readonly folder: string;
  readonly base: string;
  readonly middle: string;
  readonly top: string;
}

/** Three disks, each with data of its own, some of it zeroed again above. */
function withChain(kind: DiskKind, test: (chain: Chain) => Promise<void>): Promise<void> {
  return inTempFolder(async (folder) => {
    const names = ['base.img', 'middle.img', 'top.img'].map((name) => path.join(folder, name));
    const [base = '', middle = '', top = ''] = names;
    for (const [index, file] of names.entries()) {
      await createKind(kind, file, index === 0 ? SIZE : 0, names[index - 1]);
      const disk = await openDisk(file, besideChild);
      const random = new Random(index + 1);
      await disk.write(random.bytes(MIB + 999), index * MIB + 777);
      await disk.write(random.bytes(5000), 5 * MIB - 100 * index);
      if (index > 0) await disk.writeZeroes(MIB - 4096, 70_000);
      await disk.close();
    }
    await test({ folder, base, middle, top });
  });
}

describe.each(children)('merging a $name', (kind) => {
  it('brings the child into its parent, and both read as the child did', () =>
    withChain(kind, async ({ top, middle, base }) => {
      const [wanted, below] = [await readFileOfDisk(top), await readFileOfDisk(base)];
      const told: number[] = [];
      await mergeDisk({ path: top, ...besideChild }, {}, { onProgress: ({ done }) => told.push(done) });
      for (const file of [middle, top]) expect((await readFileOfDisk(file)).equals(wanted)).toBe(true);
      expect((await readFileOfDisk(base)).equals(below)).toBe(true);
      expect(told.at(-1)).toBe(SIZE);
      await mergeDisk({ path: top, ...besideChild });
      expect((await readFileOfDisk(middle)).equals(wanted)).toBe(true);
    }));

  it('brings a chain into its base and removes what was merged', () =>
    withChain(kind, async ({ folder, top, base }) => {
      const wanted = await readFileOfDisk(top);
      await mergeDisk({ path: top, ...besideChild }, { into: base, removeMerged: true });
      expect(await readdir(folder)).toEqual(['base.img']);
      expect((await readFileOfDisk(base)).equals(wanted)).toBe(true);
    }));

  it('leaves a chain that reads as before when it stays', () =>
    withChain(kind, async ({ top, middle, base }) => {
      const wanted = await readFileOfDisk(top);
      await mergeDisk({ path: top, ...besideChild }, { into: base });
      for (const file of [base, top]) expect((await readFileOfDisk(file)).equals(wanted)).toBe(true);
      await mergeDisk({ path: middle, ...besideChild });
      expect((await inspect(top)).type).toBe('differencing');
    }));

  it('tells other children of the changed disks that they do not fit any more', () =>
    withChain(kind, async ({ folder, top, middle, base }) => {
      const others = [path.join(folder, 'other1.img'), path.join(folder, 'other2.img')];
      await createKind(kind, others[0] ?? '', 0, middle);
      await createKind(kind, others[1] ?? '', 0, base);
      await mergeDisk({ path: top, ...besideChild }, { into: base });
      for (const other of others)
        await expect(openDisk(other, besideChild)).rejects.toMatchObject({ code: 'VHD_PARENT_MISMATCH' });
    }));

  it('makes a new file of the whole chain', () =>
    withChain(kind, async ({ folder, top, base }) => {
      const [wanted, below] = [await readFileOfDisk(top), await readFileOfDisk(base)];
      const newFile = { path: path.join(folder, 'new.vhdx'), format: 'vhdx' } as const;
      await mergeDisk({ path: top, ...besideChild }, { newFile });
      expect((await readFileOfDisk(newFile.path)).equals(wanted)).toBe(true);
      expect((await readFileOfDisk(base)).equals(below)).toBe(true);
    }));

  it('can be cancelled and done again', () =>
    withChain(kind, async ({ top, base }) => {
      const wanted = await readFileOfDisk(top);
      const abort = new AbortController();
      const options = { signal: abort.signal, onProgress: () => abort.abort() };
      const done = mergeDisk({ path: top, ...besideChild }, { into: base, removeMerged: true }, options);
      await expect(done).rejects.toMatchObject({ code: 'VHD_ABORTED', message: /holds? what it held/ });
      expect((await readFileOfDisk(top)).equals(wanted)).toBe(true);
      await mergeDisk({ path: top, ...besideChild }, { into: base, removeMerged: true });
      expect((await readFileOfDisk(base)).equals(wanted)).toBe(true);
    }));

  it('is refused without a parent and into a stranger', () =>
    withChain(kind, async ({ folder, top, base }) => {
      await expect(mergeDisk({ path: base })).rejects.toMatchObject({ code: 'VHD_INVALID_ARGUMENT' });
      const stranger = path.join(folder, 'stranger.img');
      await createKind(kind, stranger, SIZE);
      for (const into of [stranger, top]) {
        const done = mergeDisk({ path: top, ...besideChild }, { into });
        await expect(done).rejects.toMatchObject({ code: 'VHD_INVALID_ARGUMENT', path: into });
      }
    }));
});

describe('a child that is larger than its parent', () => {
  it('makes the parent grow', () =>
    inTempFolder(async (folder) => {
      const kind = DISK_KINDS.find((each) => each.name === 'VHDX differencing');
      if (kind === undefined) throw new Error('no such kind');
      const [base, child] = [path.join(folder, 'base.img'), path.join(folder, 'child.img')];
      await createKind(kind, base, SIZE);
      await createKind(kind, child, 0, base);
      const disk = await openDisk(child, besideChild);
      await disk.resize(20 * MIB);
      await disk.write(Buffer.alloc(100, 5), 20 * MIB - 100);
      await disk.close();
      const wanted = await readFileOfDisk(child);
      await mergeDisk({ path: child, ...besideChild }, { removeMerged: true });
      expect((await readFileOfDisk(base)).equals(wanted)).toBe(true);
    }));
});
