import { link, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { DiskClaims } from './disk-claims.js';
import { temporaryFolders } from './testing/temp-folder.js';

describe('who uses which disk', () => {
  const folder = temporaryFolders();
  const inUse = expect.objectContaining({ code: 'DISK_IN_USE' }) as unknown;

  async function file(): Promise<string> {
    const made = path.join(await folder(), 'disk.vhdx');
    await writeFile(made, '');
    return made;
  }

  it('is one writer or many readers', async () => {
    const [claims, disk] = [new DiskClaims(), await file()];
    await claims.claim('A', 'd0', disk, false);
    await claims.claim('B', 'd0', disk, false);
    await expect(claims.claim('C', 'd0', disk, true)).rejects.toEqual(inUse);
    claims.release('A', 'd0');
    claims.releaseMachine('B');
    await claims.claim('C', 'd0', disk, true);
    await expect(claims.claim('C', 'd1', disk, true)).rejects.toEqual(inUse);
    await expect(claims.claim('A', 'd0', disk, false)).rejects.toEqual(inUse);
  });

  it('is not fooled by a second name', async () => {
    const [claims, disk] = [new DiskClaims(), await file()];
    await link(disk, `${disk}.other`);
    await claims.claim('A', 'd0', disk, true);
    await expect(claims.claim('B', 'd0', `${disk}.other`, true)).rejects.toEqual(inUse);
  });

  it('tells a file that is not there from what is no file', async () => {
    const [claims, where] = [new DiskClaims(), await folder()];
    await mkdir(path.join(where, 'sub'));
    await expect(claims.claim('A', 'd', path.join(where, 'none'), true)).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
    });
    await expect(claims.claim('A', 'd', path.join(where, 'sub'), true)).rejects.toMatchObject({
      code: 'DISK_INVALID',
    });
  });
});
