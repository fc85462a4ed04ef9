import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { SmbBackend, smbShare } from './smb-backend.js';
import { runTool } from './testing/run-tool.js';
import { startSamba } from './testing/samba.js';
import { tempFolder } from './testing/temp-folder.js';

const log = pino({ level: 'silent' });
const NOTHING = { volumes: [], snapshots: [], attachments: [] };

async function started(stateDir: string): Promise<SmbBackend> {
  const backend = new SmbBackend(stateDir, await smbShare(stateDir), log);
  await backend.start(NOTHING);
  return backend;
}

describe('the share, served by Samba', () => {
  it('is reached with what a connection says, and with nothing else', async () => {
    await using folder = await tempFolder();
    const share = await smbShare(folder.path);
    const backend = await started(folder.path);
    const volume = { id: randomUUID(), sizeGb: 1 };
    await backend.createVolume(volume);
    await mkdir(join(folder.path, 'samba'));
    await using samba = await startSamba(join(folder.path, 'samba'), share);

    const { data } = await backend.initializeConnection(volume, { host: 'hyperv1' });
    const [, username = '', password = ''] =
      /username=([^ ,]+),password=([^ ,]+)/.exec(String(data.options)) ?? [];
    const name = String(data.name);
    expect(await samba.client(username, password, 'ls')).toContain(name);
    await expect(samba.client(username, 'wrong', 'ls')).rejects.toThrow('NT_STATUS_LOGON_FAILURE');

    // A host takes the disk, writes to it, puts it back.
    const [fetched, raw] = [join(folder.path, 'fetched.vhdx'), join(folder.path, 'raw')];
    await samba.client(username, password, `get ${name} ${fetched}`);
    const bytes = randomBytes(65536);
    await writeFile(raw, bytes);
    await runTool('qemu-io', ['-f', 'vhdx', '-c', `write -s ${raw} 1048576 65536`, fetched]);
    await samba.client(username, password, `put ${fetched} ${name}`);
    await backend.terminateConnection(volume, { host: 'hyperv1' });

    const upload = join(folder.path, 'upload.raw');
    await backend.copyVolumeToFile(volume, upload, 'raw');
    const compare = ['compare', '-f', 'vhdx', '-F', 'raw', join(share.folder, name), upload];
    expect(await runTool('qemu-img', compare)).toContain('identical');
    const file = await open(upload, 'r');
    const { buffer } = await file.read(Buffer.alloc(65536), 0, 65536, 1048576);
    await file.close();
    expect(buffer.equals(bytes)).toBe(true);
  });
});

describe('images and files of QEMU', () => {
  it('become volumes, and volumes become them', async () => {
    await using folder = await tempFolder();
    const backend = await started(folder.path);
    const raw = join(folder.path, 'image.raw');
    await writeFile(raw, randomBytes(5_000_192));
    await runTool('qemu-img', ['resize', '-f', 'raw', raw, '96M']);
    const image = join(folder.path, 'image.qcow2');
    await runTool('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, image]);
    const volume = { id: randomUUID(), sizeGb: 1 };
    const seen: number[] = [];
    await backend.createVolumeFromImage(
      volume,
      { path: image, diskFormat: 'qcow2' },
      { onProgress: (done) => seen.push(done) },
    );
    expect(seen).not.toEqual([]);
    for (const [format, name] of [
      ['qcow2', 'qcow2'],
      ['vhdx', 'vhdx'],
      ['vhd', 'vpc'],
      ['raw', 'raw'],
    ] as const) {
      const path = join(folder.path, `copy.${format}`);
      await backend.copyVolumeToFile(volume, path, format);
      expect(await runTool('qemu-img', ['compare', '-f', 'raw', '-F', name, raw, path])).toContain(
        'identical',
      );
      expect((await stat(path)).blocks * 512).toBeLessThan(64 * 2 ** 20);
    }
    expect(await readdir(join(folder.path, 'volumes', 'smb', 'work'))).toEqual([]);
  });

  it('with a backing file made by qemu-img are refused', async () => {
    await using folder = await tempFolder();
    const backend = await started(folder.path);
    const image = join(folder.path, 'image.qcow2');
    await runTool('qemu-img', ['create', '-f', 'qcow2', '-b', '/etc/hostname', '-F', 'raw', image, '1M']);
    const external = join(folder.path, 'external.qcow2');
    const data = join(folder.path, 'data');
    await runTool('qemu-img', ['create', '-f', 'qcow2', '-o', `data_file=${data}`, external, '1M']);
    for (const path of [image, external]) {
      const work = backend.createVolumeFromImage(
        { id: randomUUID(), sizeGb: 1 },
        { path, diskFormat: 'qcow2' },
      );
      await expect(work).rejects.toMatchObject({ code: 'IMAGE_INVALID' });
    }
  });
});
