import { copyFile, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { MIB } from './bytes/integers.js';
import { checkDisk } from './check/check-disk.js';
import { inspect } from './inspect.js';
import { openFile } from './io/random-access-file.js';
import { openDisk } from './open.js';
import { besideChild, createKind, DISK_KINDS } from './test-support/disk-kinds.js';
import { inTempFolder } from './test-support/temp-folder.js';
import { createVhd } from './vhd/create.js';
import { createVhdx, NEW_VHDX_LAYOUT } from './vhdx/create.js';

const children = DISK_KINDS.filter((kind) => kind.type === 'differencing');

describe.each(children)('the chain of a $name', (kind) => {
  const setUp = (test: (base: string, child: string) => Promise<void>): Promise<void> =>
    inTempFolder(async (folder) => {
      const [base, child] = [path.join(folder, 'base.img'), path.join(folder, 'child.img')];
      await createKind(kind, base, 8 * MIB);
      const disk = await openDisk(base);
      await disk.write(Buffer.alloc(MIB, 7), 0);
      await disk.close();
      await createKind(kind, child, 0, base);
      await test(base, child);
    });

  it('asks for each path in turn until one is there', () =>
    setUp(async (base, child) => {
      const asked: string[] = [];
      const disk = await openDisk(child, {
        resolveParent: (locator, from) => {
          asked.push(locator);
          expect(from).toBe(child);
          return locator.startsWith('C:') ? base : `${base}.none`;
        },
      });
      expect(asked).toEqual(['.\\base.img', 'C:\\disks\\base.img']);
      expect(disk.parent).toMatchObject({ readOnly: true });
      await disk.close();
    }));

  it('is refused when no path is allowed or there', () =>
    setUp(async (base, child) => {
      await expect(openDisk(child)).rejects.toMatchObject({ code: 'VHD_PARENT_MISSING', path: child });
      await rename(base, `${base}.moved`);
      await expect(openDisk(child, besideChild)).rejects.toMatchObject({ code: 'VHD_PARENT_MISSING' });
    }));

  it('is refused when the parent is another disk', () =>
    setUp(async (base, child) => {
      await rename(base, `${base}.moved`);
      await createKind(kind, base, 8 * MIB);
      await expect(openDisk(child, besideChild)).rejects.toMatchObject({
        code: 'VHD_PARENT_MISMATCH',
        path: base,
      });
    }));

  it('is refused when it is a circle', () =>
    setUp(async (_base, child) => {
      await expect(openDisk(child, { resolveParent: () => child })).rejects.toMatchObject({
        code: 'VHD_CORRUPT',
      });
    }));

  it('is refused when it has no end, though no file is in it twice', () =>
    setUp(async (_base, child) => {
      // Each copy is a child of the same parent, so each could name the next one.
      let copies = 0;
      const resolveParent = (): string => `${child}.${(copies += 1)}`;
      for (let count = 1; count < 140; count += 1) await copyFile(child, `${child}.${count}`);
      const refused = await openDisk(child, { readOnly: true, resolveParent }).catch(
        (error: unknown) => error,
      );
      expect(refused).toMatchObject({ code: 'VHD_CORRUPT', message: /128 parents/ });
      expect(copies).toBeLessThan(140);
    }));
});

describe('a parent that was written to after its child was made', () => {
  it('is not taken for the parent any more (VHDX)', () =>
    inTempFolder(async (folder) => {
      const kind = DISK_KINDS.find((each) => each.name === 'VHDX differencing');
      if (kind === undefined) throw new Error('no such kind');
      const [base, child] = [path.join(folder, 'base.img'), path.join(folder, 'child.img')];
      await createKind(kind, base, 8 * MIB);
      await createKind(kind, child, 0, base);
      const disk = await openDisk(base);
      await disk.write(Buffer.alloc(1), 0);
      await disk.close();
      await expect(openDisk(child, besideChild)).rejects.toMatchObject({ code: 'VHD_PARENT_MISMATCH' });
    }));
});

describe('resizing', () => {
  it('gives a fixed VHDX all the blocks of its new size', () =>
    inTempFolder(async (folder) => {
      const file = path.join(folder, 'fixed.vhdx');
      await createVhdx({ path: file, type: 'fixed', virtualSize: 8 * MIB, blockSize: MIB });
      const disk = await openDisk(file);
      await disk.resize(20 * MIB);
      await disk.close();
      const again = await openDisk(file, { readOnly: true });
      expect(await again.extents(0, 20 * MIB)).toEqual([{ offset: 0, length: 20 * MIB, state: 'data' }]);
      await again.close();
    }));

  it('takes nothing for data that stood in the table past the end of a differencing VHDX', () =>
    inTempFolder(async (folder) => {
      const [base, child] = [path.join(folder, 'base.vhdx'), path.join(folder, 'child.vhdx')];
      await createVhdx({ path: base, type: 'dynamic', virtualSize: 8 * MIB, blockSize: MIB });
      const parent = { path: base, locators: { relativePath: 'base.vhdx' } };
      await createVhdx({ path: child, type: 'differencing', blockSize: MIB, parent });
      const disk = await openDisk(child, besideChild);
      await disk.write(Buffer.alloc(512, 7), 0);
      await disk.close();
      const file = await openFile(child, 'write');
      await file.write(Buffer.from('0600400000000000', 'hex'), NEW_VHDX_LAYOUT.batOffset + 9 * 8);
      await file.close();
      const grown = await openDisk(child, besideChild);
      await grown.resize(12 * MIB);
      const [first, ninth] = [Buffer.alloc(512), Buffer.alloc(MIB, 1)];
      await grown.read(first, 0);
      await grown.read(ninth, 9 * MIB);
      await grown.close();
      expect(first).toEqual(Buffer.alloc(512, 7));
      expect(ninth.every((byte) => byte === 0)).toBe(true);
      expect(await checkDisk(child)).toMatchObject({ whole: true, findings: [] });
    }));

  it('keeps both footers of a dynamic VHD the same', () =>
    inTempFolder(async (folder) => {
      const file = path.join(folder, 'dynamic.vhd');
      await createVhd({ path: file, type: 'dynamic', virtualSize: 8 * MIB });
      for (const size of [10 * MIB, 900 * MIB]) {
        const disk = await openDisk(file);
        await disk.resize(size);
        await disk.close();
        const bytes = await readFile(file);
        expect(bytes.subarray(0, 512).equals(bytes.subarray(-512))).toBe(true);
        expect((await inspect(file)).virtualSize).toBe(size);
      }
    }));

  it('is refused for a differencing VHD, below the size, and past the limits', () =>
    inTempFolder(async (folder) => {
      const [base, child] = [path.join(folder, 'base.vhd'), path.join(folder, 'child.vhd')];
      await createVhd({ path: base, type: 'dynamic', virtualSize: 8 * MIB });
      await createVhd({
        path: child,
        type: 'differencing',
        parent: { path: base, locators: { relativePath: 'base.vhd' } },
      });
      const disk = await openDisk(child, { resolveParent: () => base });
      await expect(disk.resize(16 * MIB)).rejects.toMatchObject({ code: 'VHD_INVALID_ARGUMENT' });
      await disk.close();
      const whole = await openDisk(base);
      for (const size of [4 * MIB, 8 * MIB + 1, 3000 * 2 ** 30, -1, Number.NaN]) {
        await expect(whole.resize(size)).rejects.toMatchObject({ code: 'VHD_INVALID_ARGUMENT' });
      }
      await whole.close();
      await expect(whole.read(Buffer.alloc(1), 0)).rejects.toMatchObject({ code: 'VHD_INVALID_ARGUMENT' });
    }));
});
