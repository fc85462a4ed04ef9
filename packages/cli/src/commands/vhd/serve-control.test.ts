import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createVhdx, openDisk } from '@nova-hyperv/vhd';
import { expect, it } from 'vitest';
import { controlSocketOf, growServed, startControl } from './serve-control.js';

it('grows the disk, refuses what else is asked, and waits for nobody when it is closed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nova-hyperv-control-'));
  const [file, socket] = [join(folder, 'disk.vhdx'), join(folder, 's')];
  await createVhdx({ path: file, type: 'dynamic', virtualSize: 2 ** 20 });
  const disk = await openDisk(file);
  try {
    const control = await startControl(socket, disk);
    expect((await stat(controlSocketOf(socket))).mode & 0o777).toBe(0o600);
    expect(await growServed(socket, { kind: 'by', bytes: 2 ** 20 })).toEqual({
      previousSize: 2 ** 20,
      virtualSize: 2 ** 21,
    });
    await expect(growServed(socket, { kind: 'to', bytes: 512 })).rejects.toThrow('only grows');
    await expect(growServed(socket, { kind: 'to', bytes: 2 ** 50 })).rejects.toThrow('64 TiB');
    for (const order of [
      '{}',
      'x',
      '{"resize":{"kind":"by","bytes":-1}}',
      '{"resize":{"kind":"to","bytes":1.5}}',
      'y'.repeat(9000),
    ]) {
      const client = connect(controlSocketOf(socket));
      client.write(`${order}\n`);
      const [reply] = await once(client.setEncoding('utf8'), 'data');
      expect(JSON.parse(String(reply))).toHaveProperty('error.code');
      client.destroy();
    }
    const silent = connect(controlSocketOf(socket));
    await once(silent, 'connect');
    await growServed(socket, { kind: 'by', bytes: 0 });
    await control.close();
    await expect(growServed(socket, { kind: 'by', bytes: 0 })).rejects.toThrow('nothing serves a disk there');
    expect(disk.virtualSize).toBe(2 ** 21);
    expect(await readdir(folder)).toEqual(['disk.vhdx']);
  } finally {
    await disk.close();
    await rm(folder, { recursive: true });
  }
});
