import path from 'node:path';
import { stat, truncate } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { KIB, MIB } from './bytes/integers.js';
import { checkWhole } from './check-whole.js';
import { openDisk } from './open.js';
import { inTempFolder } from './test-support/temp-folder.js';
import { createVhd } from './vhd/create.js';
import { createVhdx } from './vhdx/create.js';

it.each([
  ['vhd', 'dynamic'],
  ['vhd', 'fixed'],
  ['vhdx', 'dynamic'],
  ['vhdx', 'fixed'],
] as const)('a %s (%s) passes whole, and at no shorter length that would lose data', (format, type) =>
  inTempFolder(async (folder) => {
    const file = path.join(folder, 'disk.img');
    await (format === 'vhd' ? createVhd : createVhdx)({
      path: file,
      type,
      virtualSize: 12 * MIB,
      blockSize: type === 'fixed' ? 0 : 2 * MIB,
    });
    const disk = await openDisk(file);
    await disk.write(Buffer.alloc(100 * KIB, 7), 5 * MIB);
    await disk.write(Buffer.alloc(100 * KIB, 8), 11 * MIB);
    await disk.close();
    await checkWhole(file);
    const { size } = await stat(file);
    for (const cut of [512, 64 * KIB, 1.5 * MIB, size / 2]) {
      await truncate(file, Math.floor(size - cut));
      await expect(checkWhole(file)).rejects.toMatchObject({ name: 'VhdError' });
    }
  }),
);
