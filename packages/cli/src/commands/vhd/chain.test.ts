import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createVhd, createVhdx, mergeDisk, openDisk, resolveWithin } from '@nova-hyperv/vhd';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readChain } from './chain.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nova-hyperv-chain-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const at = (name: string): string => join(folder, name);
const names = async (): Promise<string[]> =>
  (await readChain(at('top'), resolveWithin([folder]))).map(({ path }) => path);
const SIZE = 32 * 2 ** 20;

describe.each([
  ['vhd', createVhd],
  ['vhdx', createVhdx],
] as const)('readChain of %s', (_format, create) => {
  async function child(name: string, parent: string): Promise<void> {
    const over = { path: at(parent), locators: { relativePath: `.\\${parent}` } };
    await create({ path: at(name), type: 'differencing', parent: over });
  }

  beforeEach(async () => {
    await create({ path: at('base'), type: 'dynamic', virtualSize: SIZE });
    await child('middle', 'base');
    await child('top', 'middle');
  });

  it('gives the disk and its parents, the nearest first', async () => {
    expect(await names()).toEqual([at('top'), at('middle'), at('base')]);
  });

  it('tells a parent that is gone from one that is another', async () => {
    await rename(at('base'), at('moved'));
    await expect(names()).rejects.toMatchObject({ code: 'VHD_PARENT_MISSING', path: at('middle') });
    await create({ path: at('base'), type: 'dynamic', virtualSize: SIZE });
    await expect(names()).rejects.toMatchObject({ code: 'VHD_PARENT_MISMATCH', path: at('base') });
  });

  it('reads a chain whose merge was cut off, so that it can be done again', async () => {
    const resolveParent = resolveWithin([folder]);
    const disk = await openDisk(at('top'), { resolveParent });
    await disk.write(Buffer.alloc(16 * 2 ** 20, 7), 0);
    await disk.close();
    const stop = new AbortController();
    const cut = mergeDisk(
      { path: at('top'), resolveParent },
      { into: at('base') },
      { signal: stop.signal, onProgress: () => stop.abort() },
    );
    await expect(cut).rejects.toMatchObject({ code: 'VHD_ABORTED' });
    expect(await names()).toHaveLength(3);
    await mergeDisk({ path: at('top'), resolveParent }, { into: at('base') });
    expect(await names()).toHaveLength(3);
  });
});
