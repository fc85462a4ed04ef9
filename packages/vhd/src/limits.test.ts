import { stat } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { GIB, KIB, MIB, TIB } from './bytes/integers.js';
import { compactDisk } from './compact.js';
import { inspect } from './inspect.js';
import { openDisk } from './open.js';
import { resizeDisk } from './resize.js';
import { Random } from './test-support/random.js';
import { inTempFolder } from './test-support/temp-folder.js';
import { createVhd } from './vhd/create.js';
import { createVhdx } from './vhdx/create.js';

/** What an open disk may hold in memory beyond what the test itself takes, whatever the size of its table. */
const MOST_MEMORY = 64 * MIB;

function memoryInUse(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Writes at both ends and in between, opens again, reads it back, and tells the file's real size. */
async function useAllOver(file: string): Promise<number> {
  const { virtualSize } = await inspect(file);
  const places = [0, virtualSize / 2 - 300, virtualSize - 4096];
  const before = memoryInUse();
  const disk = await openDisk(file);
  for (const [index, place] of places.entries()) await disk.write(new Random(index + 1).bytes(4096), place);
  await disk.writeZeroes(virtualSize - 4096, 512);
  await disk.close();
  const again = await openDisk(file, { readOnly: true });
  const bytes = Buffer.alloc(4096);
  for (const [index, place] of places.entries()) {
    await again.read(bytes, place);
    const wanted = new Random(index + 1).bytes(4096);
    if (index === 2) wanted.fill(0, 0, 512);
    expect(bytes.equals(wanted)).toBe(true);
  }
  await expect(again.read(bytes, virtualSize - 4095)).rejects.toMatchObject({ code: 'VHD_OUT_OF_RANGE' });
  expect(memoryInUse() - before).toBeLessThan(MOST_MEMORY);
  await again.close();
  return (await stat(file)).blocks * 512;
}

describe('a VHDX', () => {
  it.each([
    [
      '1 MiB blocks, a table of 512 MiB',
      { blockSize: MIB, logicalSectorSize: 512, physicalSectorSize: 4096 },
    ],
    ['256 MiB blocks', { blockSize: 256 * MIB, logicalSectorSize: 512, physicalSectorSize: 512 }],
    ['4096-byte sectors', { blockSize: 32 * MIB, logicalSectorSize: 4096, physicalSectorSize: 4096 }],
    ['a physical sector of 512', { blockSize: 2 * MIB, logicalSectorSize: 4096, physicalSectorSize: 512 }],
  ])('of 64 TiB with %s works in bounded memory and takes no space', (_what, form) =>
    inTempFolder(async (folder) => {
      const file = path.join(folder, 'large.vhdx');
      await createVhdx({ path: file, type: 'dynamic', virtualSize: 64 * TIB, ...form });
      expect(await useAllOver(file)).toBeLessThan(4 * MIB);
      expect(await inspect(file)).toMatchObject({ virtualSize: 64 * TIB, ...form });
    }),
  );

  it('grows to 64 TiB, no further, and shrinks again', () =>
    inTempFolder(async (folder) => {
      const file = path.join(folder, 'large.vhdx');
      await createVhdx({ path: file, type: 'dynamic', virtualSize: GIB, blockSize: 256 * MIB });
      expect(await resizeDisk(file, 64 * TIB)).toBe(64 * TIB);
      await useAllOver(file);
      await expect(resizeDisk(file, 64 * TIB + 1)).rejects.toMatchObject({ code: 'VHD_INVALID_ARGUMENT' });
      expect(await resizeDisk(file, GIB, { force: true })).toBe(GIB);
      const { after } = await compactDisk(file);
      expect(after).toBeLessThan(300 * MIB);
    }));
});

describe('a VHD', () => {
  it.each([512 * KIB, 2 * MIB])('of 2040 GiB with blocks of %i bytes works in bounded memory', (blockSize) =>
    inTempFolder(async (folder) => {
      const file = path.join(folder, 'large.vhd');
      await createVhd({ path: file, type: 'dynamic', virtualSize: 2040 * GIB, blockSize });
      // The table of a VHD is not sparse: its unused entries are ones.
      expect(await useAllOver(file)).toBeLessThan(20 * MIB);
      await expect(resizeDisk(file, 2040 * GIB + 512)).rejects.toMatchObject({
        code: 'VHD_INVALID_ARGUMENT',
      });
    }),
  );
});
