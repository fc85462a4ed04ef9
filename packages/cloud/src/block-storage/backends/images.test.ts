import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createVhd, createVhdx, inspect } from '@nova-hyperv/vhd';
import { describe, expect, it } from 'vitest';
import { bench, GIB, newVolume, read, write } from './testing/smb-bench.js';

/** A qcow2 header of version 3: an empty image of 1 GiB, changed by `patch`. */
async function qcow2(path: string, patch: (header: Buffer) => void): Promise<void> {
  const header = Buffer.alloc(65536);
  header.write('QFI\xfb', 'latin1');
  header.writeUInt32BE(3, 4);
  header.writeUInt32BE(16, 20);
  header.writeBigUInt64BE(BigInt(GIB), 24);
  header.writeUInt32BE(104, 100);
  patch(header);
  await writeFile(path, header);
}

describe('images', () => {
  const REFUSED: readonly {
    readonly name: string;
    readonly format: string;
    readonly code?: string;
    readonly says: string;
    readonly make: (path: string, folder: string) => Promise<unknown>;
  }[] = [
    {
      name: 'qcow2 that is said to be raw',
      format: 'raw',
      says: 'its content is qcow2',
      make: (path) => qcow2(path, () => undefined),
    },
    {
      name: 'raw that is said to be qcow2',
      format: 'qcow2',
      says: 'its content is raw',
      make: (path) => writeFile(path, Buffer.alloc(65536, 7)),
    },
    {
      name: 'VHDX that is said to be raw',
      format: 'raw',
      says: 'its content is vhdx',
      make: (path) => createVhdx({ path, type: 'dynamic', virtualSize: GIB }),
    },
    {
      name: 'a backing file',
      format: 'qcow2',
      says: 'backing file',
      make: (path) => qcow2(path, (header) => header.writeBigUInt64BE(112n, 8)),
    },
    {
      name: 'an external data file',
      format: 'qcow2',
      says: 'keeps its data elsewhere',
      make: (path) => qcow2(path, (header) => header.writeBigUInt64BE(4n, 72)),
    },
    {
      name: 'encryption',
      format: 'qcow2',
      says: 'encrypted',
      make: (path) => qcow2(path, (header) => header.writeUInt32BE(2, 32)),
    },
    {
      name: 'an impossible size',
      format: 'qcow2',
      says: 'impossible size',
      make: (path) => qcow2(path, (header) => header.writeBigUInt64BE(2n ** 63n, 24)),
    },
    {
      name: 'more than fits',
      format: 'qcow2',
      code: 'IMAGE_TOO_LARGE',
      says: 'make the volume larger',
      make: (path) => qcow2(path, (header) => header.writeBigUInt64BE(BigInt(GIB + 512), 24)),
    },
    {
      name: 'a VHD with more than fits',
      format: 'vhd',
      code: 'IMAGE_TOO_LARGE',
      says: '2 GiB',
      make: (path) => createVhd({ path, type: 'dynamic', virtualSize: 2 * GIB }),
    },
    {
      name: 'a parent',
      format: 'vhdx',
      says: 'has a parent',
      make: async (path, folder) => {
        const parent = join(folder, 'parent.vhdx');
        await createVhdx({ path: parent, type: 'dynamic', virtualSize: GIB });
        const locators = { relativePath: '.\\parent.vhdx' };
        await createVhdx({ path, type: 'differencing', parent: { path: parent, locators } });
      },
    },
    {
      name: 'a VHDX that is cut short',
      format: 'vhdx',
      says: 'damaged',
      make: async (path) => {
        await createVhdx({ path, type: 'dynamic', virtualSize: GIB });
        await write(path, 'far', GIB - 4096);
        const file = await open(path, 'r+');
        await file.truncate((await file.stat()).size - 2 ** 20);
        await file.close();
      },
    },
    {
      name: 'a format that is not for volumes',
      format: 'vmdk',
      says: 'cannot become volumes',
      make: (path) => writeFile(path, 'KDMV'),
    },
  ];
  it.each(REFUSED)('are refused for $name', async ({ format, code = 'IMAGE_INVALID', says, make }) => {
    await using a = await bench();
    const path = join(a.folder, 'image');
    await make(path, a.folder);
    const work = a.backend.createVolumeFromImage(newVolume(), { path, diskFormat: format });
    await expect(work).rejects.toMatchObject({ code });
    await expect(work).rejects.toThrow(says);
    await expect(work).rejects.not.toThrow(a.folder);
    expect(await a.kept()).toEqual({ volumes: [], snapshots: [], work: [] });
  });

  it.each([
    ['raw', (path: string) => writeFile(path, Buffer.alloc(3_000_001, 'x'))],
    [
      'vhd',
      async (path: string) => {
        await createVhd({ path, type: 'dynamic', virtualSize: 64 * 2 ** 20 });
        await write(path, 'xxxx');
      },
    ],
    [
      'vhdx',
      async (path: string) => {
        await createVhdx({ path, type: 'dynamic', virtualSize: GIB });
        await write(path, 'xxxx');
      },
    ],
  ] as const)('of format %s fill a volume of its own size', async (diskFormat, make) => {
    await using a = await bench();
    const volume = newVolume();
    const path = join(a.folder, 'image');
    await make(path);
    const seen: number[] = [];
    await a.backend.createVolumeFromImage(
      volume,
      { path, diskFormat },
      { onProgress: (done) => seen.push(done) },
    );
    expect(await inspect(a.file(volume))).toMatchObject({ type: 'dynamic', virtualSize: GIB });
    expect(await read(a.file(volume), 4)).toBe('xxxx');
    expect(seen.length).toBeGreaterThan(0);
  });

  it('of 4096-byte sectors keep them', async () => {
    await using a = await bench();
    const volume = newVolume();
    const path = join(a.folder, 'image');
    await createVhdx({ path, type: 'dynamic', virtualSize: GIB, logicalSectorSize: 4096 });
    await a.backend.createVolumeFromImage(volume, { path, diskFormat: 'vhdx' });
    expect((await inspect(a.file(volume))).logicalSectorSize).toBe(4096);
  });

  it('leave nothing when the work is given up', async () => {
    await using a = await bench();
    const path = join(a.folder, 'image');
    await writeFile(path, Buffer.alloc(30_000_000, 'x'));
    const giveUp = new AbortController();
    const work = a.backend.createVolumeFromImage(
      newVolume(),
      { path, diskFormat: 'raw' },
      { signal: giveUp.signal, onProgress: () => giveUp.abort() },
    );
    await expect(work).rejects.toMatchObject({ code: 'FAILED' });
    expect(await a.kept()).toEqual({ volumes: [], snapshots: [], work: [] });
  });
});
