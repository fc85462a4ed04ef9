import { readdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { GIB, KIB, MIB, TIB } from './bytes/integers.js';
import { inspect } from './inspect.js';
import { validateCreate } from './limits.js';
import { openDisk } from './open.js';
import { inTempFolder } from './test-support/temp-folder.js';
import { createVhd } from './vhd/create.js';
import { createVhdx } from './vhdx/create.js';

const GUID = '12345678-9ABC-DEF0-1234-56789ABCDEF0';

describe('createVhdx', () => {
  it.each([
    { type: 'dynamic', virtualSize: 64 * TIB, blockSize: 32 * MIB },
    { type: 'dynamic', virtualSize: 10 * GIB, blockSize: MIB },
    { type: 'fixed', virtualSize: 3 * GIB, blockSize: 256 * MIB },
    { type: 'dynamic', virtualSize: 5 * GIB + 4096, blockSize: 32 * MIB, logicalSectorSize: 4096 },
  ] as const)('makes %j', (wishes) =>
    inTempFolder(async (folder) => {
      const file = path.join(folder, 'new.vhdx');
      await createVhdx({ path: file, identifier: `{${GUID.toLowerCase()}}`, ...wishes });
      expect(await inspect(file)).toMatchObject({
        format: 'vhdx',
        physicalSectorSize: 4096,
        logicalSectorSize: 512,
        identifier: GUID,
        ...wishes,
      });
      expect((await stat(file)).blocks * 512).toBeLessThan(2 * MIB);
      const disk = await openDisk(file);
      await disk.write(Buffer.from('the end'), wishes.virtualSize - 7);
      const read = Buffer.alloc(9);
      await disk.read(read, wishes.virtualSize - 9);
      await disk.close();
      expect(read.toString('latin1')).toBe('\0\0the end');
    }),
  );

  it('takes size and sectors of the parent for a differencing disk, and blocks of 2 MiB', () =>
    inTempFolder(async (folder) => {
      const [base, child] = [path.join(folder, 'base.vhdx'), path.join(folder, 'child.vhdx')];
      await createVhdx({ path: base, type: 'dynamic', virtualSize: 10 * MIB, logicalSectorSize: 4096 });
      const locators = {
        relativePath: '.\\base.vhdx',
        volumePath: '\\\\?\\V\\base.vhdx',
        absoluteWin32Path: 'C:\\base.vhdx',
      };
      await createVhdx({ path: child, type: 'differencing', parent: { path: base, locators } });
      expect(await inspect(child)).toMatchObject({
        type: 'differencing',
        virtualSize: 10 * MIB,
        logicalSectorSize: 4096,
        blockSize: 2 * MIB,
        parent: {
          identifier: (await inspect(base)).dataWriteIdentifier,
          paths: ['.\\base.vhdx', '\\\\?\\V\\base.vhdx', 'C:\\base.vhdx'],
        },
      });
    }));
});

describe('createVhd', () => {
  it.each([
    { type: 'dynamic', virtualSize: 2040 * GIB, blockSize: 2 * MIB },
    { type: 'dynamic', virtualSize: 127 * GIB, blockSize: 512 * KIB },
    { type: 'fixed', virtualSize: 127 * GIB },
  ] as const)('makes %j', (wishes) =>
    inTempFolder(async (folder) => {
      const file = path.join(folder, 'new.vhd');
      await createVhd({ path: file, identifier: GUID, ...wishes });
      expect(await inspect(file)).toMatchObject({ format: 'vhd', identifier: GUID, ...wishes });
      const disk = await openDisk(file);
      await disk.write(Buffer.from('the end'), wishes.virtualSize - 7);
      await disk.close();
      expect((await inspect(file)).virtualSize).toBe(wishes.virtualSize);
    }),
  );

  it('names a differencing disk’s parent', () =>
    inTempFolder(async (folder) => {
      const [base, child] = [path.join(folder, 'base.vhd'), path.join(folder, 'child.vhd')];
      await createVhd({ path: base, type: 'fixed', virtualSize: 10 * MIB });
      const locators = { relativePath: '.\\base.vhd', absoluteWin32Path: 'C:\\vm\\base.vhd' };
      await createVhd({ path: child, type: 'differencing', parent: { path: base, locators } });
      expect((await inspect(child)).parent).toEqual({
        identifier: (await inspect(base)).identifier,
        paths: ['.\\base.vhd', 'C:\\vm\\base.vhd', 'base.vhd'],
      });
    }));
});

describe('what cannot be made', () => {
  it('is never made over something, and leaves nothing', () =>
    inTempFolder(async (folder) => {
      const file = path.join(folder, 'there.vhdx');
      await writeFile(file, 'precious');
      for (const create of [createVhdx, createVhd]) {
        await expect(create({ path: file, type: 'dynamic', virtualSize: MIB })).rejects.toMatchObject({
          code: 'VHD_EXISTS',
        });
        const orphan = { path: `${file}2`, type: 'differencing' } as const;
        await expect(create(orphan)).rejects.toMatchObject({ code: 'VHD_INVALID_ARGUMENT' });
        const parent = { path: file, locators: { relativePath: 'there.vhdx' } };
        await expect(create({ ...orphan, parent })).rejects.toMatchObject({ code: 'VHD_UNKNOWN_FORMAT' });
        const noPath = { path: file, locators: {} };
        await expect(create({ ...orphan, parent: noPath })).rejects.toMatchObject({
          code: 'VHD_INVALID_ARGUMENT',
        });
      }
      expect(await readdir(folder)).toEqual(['there.vhdx']);
    }));

  it.each([
    [{ format: 'vhd', type: 'dynamic', virtualSize: 2041 * GIB }, /2040|from 512/],
    [{ format: 'vhdx', type: 'dynamic', virtualSize: 65 * TIB }, /70368744177664/],
    [{ format: 'vhd', type: 'dynamic', virtualSize: GIB, blockSize: MIB }, /524288 and 2097152/],
    [{ format: 'vhdx', type: 'dynamic', virtualSize: GIB, blockSize: 3 * MIB }, /powers of two/],
    [{ format: 'vhdx', type: 'dynamic', virtualSize: GIB, blockSize: 512 * MIB }, /powers of two/],
    [{ format: 'vhd', type: 'fixed', virtualSize: GIB, logicalSectorSize: 4096 }, /takes 512/],
    [{ format: 'vhdx', type: 'fixed', virtualSize: GIB, physicalSectorSize: 1024 }, /512 or 4096/],
    [{ format: 'vhdx', type: 'fixed', virtualSize: 0 }, /not possible/],
  ] as const)('is refused before anything is touched: %j', (wishes, message) => {
    expect(() => validateCreate(wishes)).toThrow(message);
  });

  it('is rounded up to whole sectors where only that is wrong', () => {
    expect(validateCreate({ format: 'vhdx', type: 'dynamic', virtualSize: 5 * MIB + 1 })).toEqual({
      format: 'vhdx',
      type: 'dynamic',
      virtualSize: 5 * MIB + 512,
      blockSize: 32 * MIB,
      logicalSectorSize: 512,
      physicalSectorSize: 4096,
    });
  });
});
