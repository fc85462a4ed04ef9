import { randomUUID } from 'node:crypto';
import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect, lockDisk, resizeDisk } from '@nova-hyperv/vhd';
import { describe, expect, it } from 'vitest';
import { smbShare } from './smb-backend.js';
import { bench, GIB, HOST, newVolume, read, write } from './testing/smb-bench.js';

describe('volumes on a share', () => {
  it('are dynamic VHDX of the wanted size, and grow', async () => {
    await using a = await bench();
    const volume = newVolume(2);
    await a.backend.createVolume(volume);
    expect(await inspect(a.file(volume))).toMatchObject({
      format: 'vhdx',
      type: 'dynamic',
      virtualSize: 2 * GIB,
    });
    await write(a.file(volume), 'kept');
    await a.backend.extendVolume(volume, 5);
    await a.backend.extendVolume(volume, 5);
    await a.backend.extendVolume(volume, 3);
    expect((await inspect(a.file(volume))).virtualSize).toBe(5 * GIB);
    expect(await read(a.file(volume), 4)).toBe('kept');
    await a.backend.deleteVolume(volume.id);
    await a.backend.deleteVolume(volume.id);
    expect(await a.kept()).toEqual({ volumes: [], snapshots: [], work: [] });
  });

  it('are cloned and made from snapshots, larger where wanted, as disks of their own', async () => {
    await using a = await bench();
    const [source, clone, restored] = [newVolume(1), newVolume(2), newVolume(3)];
    const snapshot = { id: randomUUID(), volumeId: source.id, sizeGb: 1 };
    await a.backend.createVolume(source);
    await write(a.file(source), 'before');
    await a.backend.createSnapshot(snapshot);
    await write(a.file(source), 'after!');
    await a.backend.cloneVolume(clone, source);
    await a.backend.deleteVolume(source.id);
    await a.backend.createVolumeFromSnapshot(restored, snapshot);
    await a.backend.deleteSnapshot(snapshot);
    await a.backend.deleteSnapshot(snapshot);
    expect(await read(a.file(clone), 6)).toBe('after!');
    expect(await read(a.file(restored), 6)).toBe('before');
    const [one, other] = [await inspect(a.file(clone)), await inspect(a.file(restored))];
    expect([one.virtualSize, other.virtualSize]).toEqual([2 * GIB, 3 * GIB]);
    expect(one.identifier).not.toBe(other.identifier);
    expect((await a.kept()).snapshots).toEqual([]);
  });

  it('are never overwritten', async () => {
    await using a = await bench();
    const volume = newVolume();
    await a.backend.createVolume(volume);
    await write(a.file(volume), 'mine');
    await expect(a.backend.createVolume(volume)).rejects.toMatchObject({ code: 'FAILED' });
    expect(await read(a.file(volume), 4)).toBe('mine');
  });

  it('refuses identifiers that are none', async () => {
    await using a = await bench();
    await expect(a.backend.createVolume({ id: '../../etc', sizeGb: 1 })).rejects.toThrow();
    await expect(a.backend.deleteVolume('../secrets/x')).rejects.toThrow();
  });

  it('says what is missing', async () => {
    await using a = await bench();
    const [volume, other] = [newVolume(), newVolume()];
    const gone = { code: 'NOT_FOUND' };
    await expect(a.backend.extendVolume(volume, 2)).rejects.toMatchObject(gone);
    await expect(a.backend.cloneVolume(other, volume)).rejects.toMatchObject(gone);
    await expect(a.backend.initializeConnection(volume, HOST)).rejects.toMatchObject(gone);
    expect(await a.kept()).toEqual({ volumes: [], snapshots: [], work: [] });
  });
});

describe('a connection', () => {
  it("has the form of Cinder's driver for Windows, the same each time", async () => {
    await using a = await bench();
    const volume = newVolume();
    await a.backend.createVolume(volume);
    const info = await a.backend.initializeConnection(volume, HOST);
    expect(info).toEqual({
      driver_volume_type: 'smbfs',
      data: {
        export: '//nova-hyperv/volumes',
        name: `volume-${volume.id}.vhdx`,
        format: 'vhdx',
        options: `-o username=cinder,password=${a.share.password}`,
      },
    });
    expect(await a.backend.initializeConnection(volume, HOST)).toEqual(info);
    expect((await smbShare(a.folder)).password).toBe(a.share.password);
    const secret = await stat(join(a.folder, 'secrets', 'volume-share-password'));
    expect(secret.mode & 0o777).toBe(0o600);
  });

  it('keeps everything else from the volume, also after a restart', async () => {
    await using a = await bench();
    const volume = newVolume();
    await a.backend.createVolume(volume);
    await a.backend.initializeConnection(volume, HOST);
    const again = a.again();
    await again.start({ volumes: [volume], snapshots: [], attachments: [{ volume, connector: HOST }] });
    for (const backend of [a.backend, again]) {
      const snapshot = { id: randomUUID(), volumeId: volume.id, sizeGb: 1 };
      const inUse = { code: 'VOLUME_IN_USE' };
      await expect(backend.extendVolume(volume, 2)).rejects.toMatchObject(inUse);
      await expect(backend.extendVolume(volume, 2)).rejects.toThrow('SMB backed volumes');
      await expect(backend.cloneVolume(newVolume(), volume)).rejects.toMatchObject(inUse);
      await expect(backend.createSnapshot(snapshot)).rejects.toMatchObject(inUse);
      await expect(backend.deleteVolume(volume.id)).rejects.toMatchObject(inUse);
      await backend.terminateConnection(volume, HOST);
      await backend.terminateConnection(volume, HOST);
      await backend.extendVolume(volume, 2);
    }
  });

  it('is not the only thing that is heeded: a disk that a host still has open is left alone', async () => {
    await using a = await bench();
    const volume = newVolume();
    await a.backend.createVolume(volume);
    const lock = await lockDisk(a.file(volume), 'write', 'a host');
    const inUse = { code: 'VOLUME_IN_USE' };
    await expect(a.backend.extendVolume(volume, 2)).rejects.toMatchObject(inUse);
    await expect(a.backend.deleteVolume(volume.id)).rejects.toMatchObject(inUse);
    await expect(a.backend.cloneVolume(newVolume(), volume)).rejects.toMatchObject(inUse);
    await lock.release();
    await a.backend.deleteVolume(volume.id);
    expect(await a.kept()).toEqual({ volumes: [], snapshots: [], work: [] });
  });
});

describe('the start', () => {
  it('leaves what is known and what is not its own, nothing else', async () => {
    await using a = await bench();
    const [known, unknown] = [newVolume(), newVolume()];
    const snapshots = [known, known].map(({ id }) => ({ id: randomUUID(), volumeId: id, sizeGb: 1 }));
    await a.backend.createVolume(known);
    await a.backend.createVolume(unknown);
    for (const snapshot of snapshots) await a.backend.createSnapshot(snapshot);
    await writeFile(join(a.folder, 'volumes', 'smb', 'work', 'half'), 'made');
    await writeFile(join(a.share.folder, 'notes.txt'), 'of the operator');
    await a.again().start({ volumes: [known], snapshots: snapshots.slice(0, 1), attachments: [] });
    expect(await a.kept()).toEqual({
      volumes: ['notes.txt', `volume-${known.id}.vhdx`],
      snapshots: [`snapshot-${snapshots[0]?.id}.vhdx`],
      work: [],
    });
  });

  it('takes back a growth that was cut off before it was written down, unless there is data in it', async () => {
    await using a = await bench();
    const [empty, used, attached] = [newVolume(), newVolume(), newVolume()];
    for (const volume of [empty, used, attached]) {
      await a.backend.createVolume(volume);
      await resizeDisk(a.file(volume), 2 * GIB);
    }
    await write(a.file(used), 'data', 2 * GIB - 4096);
    const volumes = [empty, used, attached];
    await a.again().start({
      volumes,
      snapshots: [],
      attachments: [{ volume: attached, connector: HOST }],
    });
    const sizes = await Promise.all(volumes.map(async (each) => (await inspect(a.file(each))).virtualSize));
    expect(sizes).toEqual([GIB, 2 * GIB, 2 * GIB]);
  });

  it('goes on without a volume whose file is gone', async () => {
    await using a = await bench();
    const [lost, kept] = [newVolume(), newVolume()];
    await a.backend.createVolume(lost);
    await a.backend.createVolume(kept);
    await rm(a.file(lost));
    const again = a.again();
    await again.start({ volumes: [lost, kept], snapshots: [], attachments: [] });
    await again.extendVolume(kept, 2);
  });
});
