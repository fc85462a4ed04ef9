import { open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { GIB, MIB } from './bytes/integers.js';
import { convertDisk } from './convert.js';
import { copyDisk } from './copy.js';
import { openDisk } from './open.js';
import { maxInternalSize } from './size-rule.js';
import { besideChild, createKind, DISK_KINDS, readFileOfDisk } from './test-support/disk-kinds.js';
import { Random } from './test-support/random.js';
import { inTempFolder } from './test-support/temp-folder.js';

describe('copyDisk', () => {
  it('copies byte for byte, tells how far it is, and keeps holes', () =>
    inTempFolder(async (folder) => {
      const [from, to] = [path.join(folder, 'from'), path.join(folder, 'to')];
      const bytes = Buffer.alloc(20 * MIB + 77);
      new Random(1).bytes(300_000).copy(bytes, 5 * MIB);
      await writeFile(from, bytes);
      const seen: number[] = [];
      await copyDisk(from, to, { onProgress: ({ done }) => seen.push(done) });
      expect((await readFile(to)).equals(bytes)).toBe(true);
      expect((await stat(to)).blocks * 512).toBeLessThan(MIB);
      expect(seen.at(-1)).toBe(bytes.length);
      expect(seen.toSorted((a, b) => a - b)).toEqual(seen);
    }));

  it('leaves nothing when it is cancelled, and nothing is overwritten', () =>
    inTempFolder(async (folder) => {
      const [from, to] = [path.join(folder, 'from'), path.join(folder, 'to')];
      await writeFile(from, new Random(1).bytes(20 * MIB));
      const abort = new AbortController();
      const options = { signal: abort.signal, onProgress: () => abort.abort() };
      await expect(copyDisk(from, to, options)).rejects.toMatchObject({ code: 'VHD_ABORTED' });
      expect(await readdir(folder)).toEqual(['from']);
      await writeFile(to, 'precious');
      await expect(copyDisk(from, to)).rejects.toMatchObject({ code: 'VHD_EXISTS' });
      await expect(copyDisk(path.join(folder, 'none'), `${to}2`)).rejects.toMatchObject({ code: 'ENOENT' });
      expect(await readdir(folder)).toEqual(['from', 'to']);
    }));
});

describe('convertDisk', () => {
  const targets = [
    { format: 'raw' },
    { format: 'vhd', type: 'fixed' },
    { format: 'vhd', type: 'dynamic' },
    { format: 'vhdx', type: 'fixed', logicalSectorSize: 4096 },
    { format: 'vhdx', type: 'dynamic', blockSize: MIB },
  ] as const;

  it.each(DISK_KINDS)('makes every form of a $name', (kind) =>
    inTempFolder(async (folder) => {
      const [base, from] = [path.join(folder, 'base.img'), path.join(folder, 'from.img')];
      await createKind(kind, base, 6 * MIB);
      const disk = await openDisk(base);
      await disk.write(new Random(2).bytes(MIB), MIB + 4096);
      await disk.close();
      await createKind(kind, from, 6 * MIB, kind.type === 'differencing' ? base : undefined);
      const child = await openDisk(from, besideChild);
      await child.write(new Random(3).bytes(5000), 2 * MIB);
      await child.writeZeroes(MIB + 8192, 4096);
      await child.close();
      const wanted = await readFileOfDisk(from);
      for (const [index, target] of targets.entries()) {
        const to = path.join(folder, `to${index}`);
        await convertDisk({ path: from, ...besideChild }, { path: to, ...target });
        const content = target.format === 'raw' ? await readFile(to) : await readFileOfDisk(to);
        expect(content.equals(wanted)).toBe(true);
      }
    }),
  );

  it('skips the holes of its source and nothing else', () =>
    inTempFolder(async (folder) => {
      const from = path.join(folder, 'from');
      const handle = await open(from, 'wx');
      await handle.truncate(90 * MIB + 512);
      for (const at of [0, 5 * MIB + 3, 31 * MIB + 4095, 64 * MIB - 7, 90 * MIB]) {
        await handle.write(new Random(at).bytes(512), 0, 512, at);
      }
      await handle.close();
      const [disk, back, copy] = ['disk', 'back', 'copy'].map((name) => path.join(folder, name));
      if (disk === undefined || back === undefined || copy === undefined) return;
      await convertDisk({ path: from, as: 'raw' }, { path: disk, format: 'vhdx' });
      await convertDisk({ path: disk }, { path: back, format: 'raw' });
      await copyDisk(from, copy);
      const wanted = await readFile(from);
      expect((await readFile(back)).equals(wanted)).toBe(true);
      expect((await readFile(copy)).equals(wanted)).toBe(true);
      for (const file of [disk, back, copy]) expect((await stat(file)).blocks * 512).toBeLessThan(2 * MIB);
    }));

  it('leaves nothing when it is cancelled', () =>
    inTempFolder(async (folder) => {
      const from = path.join(folder, 'from');
      await writeFile(from, new Random(1).bytes(8 * MIB));
      const abort = new AbortController();
      abort.abort();
      const target = { path: path.join(folder, 'to'), format: 'vhdx' } as const;
      const done = convertDisk({ path: from, as: 'raw' }, target, { signal: abort.signal });
      await expect(done).rejects.toMatchObject({ code: 'VHD_ABORTED' });
      expect(await readdir(folder)).toEqual(['from']);
    }));
});

describe('the size rule', () => {
  const vhdx = { format: 'vhdx', type: 'dynamic', blockSize: 32 * MIB, logicalSectorSize: 512 } as const;
  const vhd = { format: 'vhd', type: 'dynamic', blockSize: 2 * MIB, logicalSectorSize: 512 } as const;

  it('takes the footer off a fixed VHD', () => {
    expect(maxInternalSize({ ...vhd, type: 'fixed' }, GIB)).toBe(GIB - 512);
  });

  it('takes headers and four bytes a block off a dynamic VHD', () => {
    expect(maxInternalSize(vhd, GIB)).toBe(Math.floor(((GIB - 2048) * 2 * MIB) / (2 * MIB + 4)));
  });

  it('leaves whole blocks of a VHDX', () => {
    // 1 GiB less 1 MiB of headers, 1 MiB of log, 1 MiB of metadata and 8 bytes a block: 31 whole blocks of 32 MiB.
    expect(maxInternalSize(vhdx, GIB)).toBe(31 * 32 * MIB);
    expect(maxInternalSize(vhdx, GIB + 4 * MIB)).toBe(32 * 32 * MIB);
    expect(maxInternalSize({ ...vhdx, logLength: 4 * MIB }, GIB + 4 * MIB)).toBe(31 * 32 * MIB);
    expect(maxInternalSize(vhdx, MIB)).toBe(0);
  });

  it('is the base’s for a differencing disk', () => {
    const child = { ...vhdx, type: 'differencing', blockSize: 2 * MIB } as const;
    expect(maxInternalSize(child, GIB, vhdx)).toBe(31 * 32 * MIB);
    expect(() => maxInternalSize(child, GIB)).toThrow(/base of its chain/);
  });
});
