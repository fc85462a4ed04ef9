import { stat, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { MIB } from '../bytes/integers.js';
import type { Disk } from '../disk.js';
import { openDisk } from '../open.js';
import { openRaw } from '../raw-disk.js';
import { Random } from '../test-support/random.js';
import { runJson, runTool } from '../test-support/run-tool.js';
import { inTempFolder } from '../test-support/temp-folder.js';
import { createVhdx } from '../vhdx/create.js';
import type { NbdServer } from './server.js';
import { serveNbd } from './server.js';

interface Setup {
  readonly folder: string;
  readonly disk: Disk;
  readonly server: NbdServer;
  readonly url: (name?: string) => string;
}

function withServer(test: (setup: Setup) => Promise<void>, virtualSize = 64 * MIB): Promise<void> {
  return inTempFolder(async (folder) => {
    const file = path.join(folder, 'disk.vhdx');
    await createVhdx({ path: file, type: 'dynamic', virtualSize, blockSize: MIB });
    const disk = await openDisk(file);
    const socketPath = path.join(folder, 'nbd.sock');
    const server = await serveNbd({ socketPath });
    try {
      server.addExport('disk', disk, { description: 'a test' });
      await test({
        folder,
        disk,
        server,
        url: (name = 'disk') => `nbd+unix:///${name}?socket=${socketPath}`,
      });
    } finally {
      await server.close();
      await disk.close();
    }
  });
}

async function randomImage(file: string, size: number, seed: number): Promise<void> {
  const random = new Random(seed);
  await writeFile(file, '');
  await truncate(file, size);
  const image = await openRaw(file);
  for (let count = 0; count < 40; count += 1) {
    const bytes = random.bytes(1 + random.below(300_000));
    await image.write(bytes, random.below(size - bytes.length));
  }
  await image.close();
}

describe('the NBD server as clients from outside see it', () => {
  it('tells nbdinfo name, size, description and what it offers', () =>
    withServer(async ({ url, server }) => {
      const told = await runJson('nbdinfo', '--json', url());
      expect(told).toMatchObject({
        protocol: 'newstyle-fixed',
        structured: true,
        exports: [
          {
            'export-name': 'disk',
            description: 'a test',
            'export-size': 64 * MIB,
            is_read_only: false,
            can_multi_conn: true,
            can_flush: true,
            can_fua: true,
            can_trim: true,
            can_zero: true,
            can_cache: true,
            can_df: true,
            contexts: ['base:allocation'],
          },
        ],
      });
      expect((await stat(server.socketPath)).mode & 0o777).toBe(0o600);
    }));

  it('lists its exports and refuses an unknown one', () =>
    withServer(async ({ url, server, disk }) => {
      server.addExport('other', disk, { readOnly: true });
      expect(await runTool('nbdinfo', '--list', url(''))).toContain('export="other"');
      await expect(runTool('nbdinfo', url('none'))).rejects.toThrow(/no export of this name|No such/i);
    }));

  it('holds what qemu-img and nbdcopy write, and gives it back', () =>
    withServer(async ({ folder, url }) => {
      const image = path.join(folder, 'image.raw');
      const back = path.join(folder, 'back.raw');
      await randomImage(image, 64 * MIB, 7);
      await runTool('qemu-img', 'convert', '-n', '-f', 'raw', '-O', 'raw', image, url());
      await runTool('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', image, url());
      await runTool('nbdcopy', '--connections=3', url(), back);
      await runTool('cmp', image, back);
      const status = await runTool('nbdinfo', '--map', url());
      expect(status).toContain('hole,zero');
      expect(status).toContain('data');
    }));

  it('reads and writes at any byte, zeroes, discards and flushes', () =>
    withServer(async ({ url }) => {
      const script = [
        'write -P 0x5a 4095 4098',
        'read -P 0x5a 4095 4098',
        'read -P 0 0 4095',
        'write -z 4096 1024',
      ];
      script.push(
        'read -P 0 4096 1024',
        'read -P 0x5a 5120 3073',
        'discard 0 1M',
        'flush',
        'write -f -P 7 2M 64k',
        'read -P 7 2M 64k',
      );
      await runTool('qemu-io', '-f', 'raw', ...script.flatMap((command) => ['-c', command]), url());
    }));

  it('keeps the file right when two connections write at once', () =>
    withServer(async ({ folder, url, disk }) => {
      const image = path.join(folder, 'image.raw');
      await randomImage(image, 64 * MIB, 11);
      await runTool('nbdcopy', '--connections=4', '--requests=64', image, url());
      await disk.flush();
      await runTool('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', image, url());
    }));

  it('gives a second connection the new size after a live resize', () =>
    withServer(async ({ url, disk, server, folder }) => {
      const size = async (): Promise<unknown> => runTool('nbdinfo', '--size', url());
      expect(Number(await size())).toBe(64 * MIB);
      await disk.resize(96 * MIB);
      expect(Number(await size())).toBe(96 * MIB);
      await runTool('qemu-io', '-f', 'raw', '-c', 'write -P 3 95M 1M', '-c', 'read -P 3 95M 1M', url());
      await server.removeExport('disk');
      await disk.close();
      const info = await runJson('qemu-img', 'info', '--output=json', path.join(folder, 'disk.vhdx'));
      expect(info).toMatchObject({ format: 'vhdx', 'virtual-size': 96 * MIB });
    }));

  it('tells by nbdinfo what a chain holds, wherever in it, and what it does not', () =>
    withServer(async ({ folder, server, url }) => {
      const [parent, child] = [path.join(folder, 'parent.vhdx'), path.join(folder, 'child.vhdx')];
      await createVhdx({ path: parent, type: 'dynamic', virtualSize: 16 * MIB, blockSize: MIB });
      const base = await openDisk(parent);
      await base.write(Buffer.alloc(2 * MIB, 1), 4 * MIB);
      await base.close();
      const locators = { relativePath: '.\\parent.vhdx' };
      await createVhdx({
        path: child,
        type: 'differencing',
        blockSize: MIB,
        parent: { path: parent, locators },
      });
      const chain = await openDisk(child, { resolveParent: () => parent });
      try {
        await chain.write(Buffer.alloc(MIB, 2), 9 * MIB);
        await chain.writeZeroes(5 * MIB, MIB);
        server.addExport('chain', chain);
        const map = await runJson('nbdinfo', '--json', '--map', url('chain'));
        expect(map).toMatchObject([
          { offset: 0, length: 4 * MIB, type: 3 },
          { offset: 4 * MIB, length: MIB, type: 0 },
          { offset: 5 * MIB, length: 4 * MIB, type: 3 },
          { offset: 9 * MIB, length: MIB, type: 0 },
          { offset: 10 * MIB, length: 6 * MIB, type: 3 },
        ]);
        await server.removeExport('chain');
      } finally {
        await chain.close();
      }
    }));

  it('refuses writes to a read-only export and sends clients away when it is removed', () =>
    withServer(async ({ url, disk, server }) => {
      server.addExport('locked', disk, { readOnly: true });
      await expect(runTool('qemu-io', '-f', 'raw', '-c', 'write 0 512', url('locked'))).rejects.toThrow(
        /Permission denied|read.?only/i,
      );
      await server.removeExport('locked');
      await expect(runTool('nbdinfo', url('locked'))).rejects.toThrow();
      expect(server.exports).toEqual(['disk']);
    }));

  it('removes a socket that nobody answers on, and no other file', () =>
    inTempFolder(async (folder) => {
      const socketPath = path.join(folder, 'nbd.sock');
      await writeFile(socketPath, 'precious');
      await expect(serveNbd({ socketPath })).rejects.toMatchObject({ code: 'VHD_EXISTS' });
      const used = path.join(folder, 'used.sock');
      const other = createServer().listen(used);
      await expect(serveNbd({ socketPath: used })).rejects.toMatchObject({ code: 'VHD_EXISTS' });
      await new Promise((resolve) => {
        other.close(resolve);
      });
      const server = await serveNbd({ socketPath: used });
      await server.close();
      await server.close();
    }));
});
