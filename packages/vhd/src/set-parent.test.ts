import { mkdir, rename } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { MIB } from './bytes/integers.js';
import { inspect } from './inspect.js';
import { openDisk } from './open.js';
import { resolveWithin } from './resolve-within.js';
import { setParent } from './set-parent.js';
import { besideChild, createKind, DISK_KINDS } from './test-support/disk-kinds.js';
import { inTempFolder } from './test-support/temp-folder.js';

const children = DISK_KINDS.filter((kind) => kind.type === 'differencing');

async function readsAsBefore(
  child: string,
  resolveParent = resolveWithin([path.dirname(child)]),
): Promise<void> {
  const disk = await openDisk(child, { resolveParent, readOnly: true });
  const bytes = Buffer.alloc(MIB);
  await disk.read(bytes, 0);
  await disk.close();
  expect(bytes.equals(Buffer.alloc(MIB, 7).fill(9, MIB / 2, MIB / 2 + 1000))).toBe(true);
}

describe.each(children)('setParent of a $name', (kind) => {
  const setUp = (test: (base: string, child: string, folder: string) => Promise<void>): Promise<void> =>
    inTempFolder(async (folder) => {
      const [base, child] = [path.join(folder, 'base.img'), path.join(folder, 'child.img')];
      await createKind(kind, base, 8 * MIB);
      const disk = await openDisk(base);
      await disk.write(Buffer.alloc(MIB, 7), 0);
      await disk.close();
      await createKind(kind, child, 0, base);
      const top = await openDisk(child, besideChild);
      await top.write(Buffer.alloc(1000, 9), MIB / 2);
      await top.close();
      await test(base, child, folder);
    });

  it('finds a parent again that was moved, by the relative path', () =>
    setUp(async (base, child, folder) => {
      const moved = path.join(folder, 'deep', 'er', 'moved.img');
      await mkdir(path.dirname(moved), { recursive: true });
      await rename(base, moved);
      await setParent(child, moved);
      expect((await inspect(child)).parent?.paths[0]).toBe(String.raw`.\deep\er\moved.img`);
      await readsAsBefore(child);
    }));

  it('stores the paths that it is given, long ones too, and again', () =>
    setUp(async (base, child, folder) => {
      for (const length of [10, 20_000, 300, 20_000]) {
        const absoluteWin32Path = `C:\\${'d'.repeat(length)}\\base.img`;
        await setParent(child, base, { locators: { absoluteWin32Path } });
        expect((await inspect(child)).parent?.paths[0]).toBe(absoluteWin32Path);
        await readsAsBefore(child, resolveWithin([folder]));
      }
      const disk = await openDisk(child, { resolveParent: resolveWithin([folder]) });
      await disk.write(Buffer.alloc(MIB, 1), 6 * MIB);
      await disk.close();
      await readsAsBefore(child);
    }));

  it('refuses another disk, unless told that its content is the same', () =>
    setUp(async (base, child, folder) => {
      const before = await inspect(child);
      const other = path.join(folder, 'other.img');
      await createKind(kind, other, 8 * MIB);
      await expect(setParent(child, other)).rejects.toMatchObject({
        code: 'VHD_PARENT_MISMATCH',
        path: other,
      });
      expect(await inspect(child)).toEqual(before);
      await setParent(child, other, { ignoreMismatch: true });
      const disk = await openDisk(child, besideChild);
      const byte = Buffer.alloc(1);
      await disk.read(byte, 0);
      expect(byte[0]).toBe(0);
      await disk.close();
      await setParent(child, base, { ignoreMismatch: true });
      await readsAsBefore(child);
    }));

  it('refuses what cannot be a parent', () =>
    setUp(async (base, child, folder) => {
      const refused = { code: 'VHD_INVALID_ARGUMENT' };
      const grandchild = path.join(folder, 'grandchild.img');
      await createKind(kind, grandchild, 0, child);
      await expect(setParent(child, child)).rejects.toMatchObject(refused);
      await expect(setParent(child, grandchild, { ignoreMismatch: true })).rejects.toMatchObject(refused);
      await expect(setParent(base, child)).rejects.toMatchObject(refused);
      const larger = path.join(folder, 'larger.img');
      await createKind(kind, larger, 9 * MIB);
      await expect(setParent(child, larger, { ignoreMismatch: true })).rejects.toMatchObject(refused);
      const foreign = DISK_KINDS.find((each) => each.format !== kind.format && each.type === 'dynamic');
      if (foreign === undefined) throw new Error('no such kind');
      const other = path.join(folder, 'foreign.img');
      await createKind(foreign, other, 8 * MIB);
      await expect(setParent(child, other, { ignoreMismatch: true })).rejects.toMatchObject(refused);
      await readsAsBefore(child);
    }));
});
