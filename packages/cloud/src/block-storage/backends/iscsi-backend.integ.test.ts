import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, it, vi } from 'vitest';
import type { StoredVolume } from './backend.js';
import { endVolumeTargets, IscsiBackend, type IscsiOptions } from './iscsi-backend.js';
import { discover, fieldsOf, INITIATOR, inquire, Session } from './testing/initiator.js';
import { freePort } from './testing/samba.js';
import { tempFolder } from './testing/temp-folder.js';
import { askTgt } from './tgt/client.js';
import { findTgtd, findTgtdProgram, type Tgtd } from './tgt/process.js';
import { MODE, OP } from './tgt/protocol.js';

const HOST = { host: 'hyperv1', ip: '127.0.0.1', initiator: INITIATOR };
const OTHER = { host: 'hyperv2', ip: '127.0.0.1', initiator: 'iqn.1991-05.com.microsoft:hyperv2' };
const NOTHING = { volumes: [], snapshots: [], attachments: [] };

async function bench(options: IscsiOptions = {}) {
  const folder = await tempFolder();
  const program = await findTgtdProgram();
  if (program === undefined) throw new Error('tgtd is not installed');
  const make = (): IscsiBackend => new IscsiBackend(folder.path, program, options, pino({ level: 'silent' }));
  const backend = make();
  const volume: StoredVolume = { id: randomUUID(), sizeGb: 1 };
  const all: IscsiBackend[] = [backend];
  return {
    folder: folder.path,
    backend,
    volume,
    /** The same back end in a process that was started anew. */
    again: (): IscsiBackend => {
      const next = make();
      all.push(next);
      return next;
    },
    tgtd: async (): Promise<Tgtd> => {
      const found = await findTgtd(join(folder.path, 'volumes', 'iscsi', 'tgtd'));
      if (found === undefined) throw new Error('no tgtd');
      return found;
    },
    [Symbol.asyncDispose]: async () => {
      for (const each of all) await each.stop();
      await endVolumeTargets(folder.path);
      await endVolumeTargets(folder.path);
      await folder[Symbol.asyncDispose]();
    },
  };
}

describe('a volume over iSCSI', () => {
  it('is reached by its host with its secret, and by nobody else, until it is detached', async () => {
    await using a = await bench();
    await a.backend.start(NOTHING);
    await a.backend.createVolume(a.volume);
    const info = await a.backend.initializeConnection(a.volume, HOST, 'rw');
    expect(info).toMatchObject({
      driver_volume_type: 'iscsi',
      data: {
        target_discovered: false,
        target_iqn: `iqn.2010-10.org.openstack:volume-${a.volume.id}`,
        target_lun: 1,
        volume_id: a.volume.id,
        auth_method: 'CHAP',
      },
    });
    expect(await a.backend.initializeConnection(a.volume, HOST, 'rw')).toEqual(info);
    const fields = fieldsOf(info);
    expect(fields.password).toMatch(/^[A-Za-z0-9]{16}$/);

    expect(await inquire(fields, INITIATOR, 128)).toContain(a.volume.id.replaceAll('-', ''));
    await expect(inquire({ ...fields, password: 'x'.repeat(16) })).rejects.toThrow();
    await expect(inquire({ ...fields, username: 'somebody' })).rejects.toThrow();
    await expect(inquire(fields, OTHER.initiator)).rejects.toThrow();
    expect(await discover(fields.portal)).toEqual([fields.iqn]);
    expect(await discover(fields.portal, OTHER.initiator)).toEqual([]);

    const { pid } = await a.tgtd();
    expect(await readFile(`/proc/${pid}/cmdline`, 'utf8')).not.toContain(fields.password);
    expect(await readFile(join(a.folder, 'volumes', 'iscsi', 'tgtd', 'tgtd.log'), 'utf8')).not.toContain(
      fields.password,
    );
    const secret = await stat(join(a.folder, 'secrets', 'volume-chap', a.volume.id));
    expect(secret.mode & 0o777).toBe(0o600);

    await expect(a.backend.deleteVolume(a.volume.id)).rejects.toMatchObject({ code: 'VOLUME_IN_USE' });
    await expect(a.backend.cloneVolume({ id: randomUUID(), sizeGb: 1 }, a.volume)).rejects.toMatchObject({
      code: 'VOLUME_IN_USE',
    });
    await a.backend.terminateConnection(a.volume, HOST);
    await a.backend.terminateConnection(a.volume, HOST);
    await expect(inquire(fields)).rejects.toThrow();
    await a.backend.deleteVolume(a.volume.id);
    await a.backend.deleteVolume(a.volume.id);
    expect(await readdir(join(a.folder, 'volumes', 'iscsi', 'share'))).toEqual([]);
    expect(await readdir(join(a.folder, 'secrets', 'volume-chap'))).toEqual([]);
  });

  it('takes what a host writes, unless it is attached for reading', async () => {
    await using a = await bench();
    await a.backend.start(NOTHING);
    await a.backend.createVolume(a.volume);
    const fields = fieldsOf(await a.backend.initializeConnection(a.volume, HOST, 'rw'));
    {
      await using session = await Session.open(fields, a.folder);
      expect(await session.run('write -P 0x5a 1M 64k')).toContain('wrote 65536/65536');
      // Space that is given back is given back here too.
      expect(await session.run('write -P 0x5a 8M 8M')).toContain('wrote');
      expect(await session.run('flush')).not.toContain('error');
      const file = join(a.folder, 'volumes', 'iscsi', 'share', `volume-${a.volume.id}.raw`);
      const before = (await stat(file)).blocks;
      expect(await session.run('discard 8M 8M')).toContain('discard 8388608');
      expect((await stat(file)).blocks).toBeLessThan(before - 8000);
    }
    await a.backend.terminateConnection(a.volume, HOST);
    const copy = join(a.folder, 'copy.raw');
    await a.backend.copyVolumeToFile(a.volume, copy, 'raw');
    expect((await readFile(copy)).subarray(1_048_576, 1_048_580).toString('hex')).toBe('5a5a5a5a');

    const again = fieldsOf(await a.backend.initializeConnection(a.volume, HOST, 'ro'));
    await expect(
      (async () => {
        await using session = await Session.open(again, a.folder);
        return session.run('write 0 64k');
      })(),
    ).rejects.toThrow(/write protected|read-only|Could not open/i);
  });

  it('ends the session of a host that it is taken from, not that of another', async () => {
    await using a = await bench();
    await a.backend.start(NOTHING);
    await a.backend.createVolume(a.volume);
    await a.backend.initializeConnection(a.volume, OTHER, 'rw');
    const fields = fieldsOf(await a.backend.initializeConnection(a.volume, HOST, 'rw'));
    await using session = await Session.open(fields, a.folder);
    await a.backend.terminateConnection(a.volume, OTHER);
    await expect(inquire(fields, OTHER.initiator)).rejects.toThrow();
    expect(await session.run('write 0 4k')).toContain('wrote 4096/4096');
  });
});

describe('growth', () => {
  it('in place lets no command of a host fail that writes all the time; it connects again by itself and sees the new size', async () => {
    await using a = await bench();
    await a.backend.start(NOTHING);
    expect(a.backend.onlineExtendRefusal).toBeNull();
    await a.backend.createVolume(a.volume);
    const fields = fieldsOf(await a.backend.initializeConnection(a.volume, HOST, 'rw'));
    await using session = await Session.open(fields, a.folder);
    expect(await session.run('length')).toContain('1 GiB');
    const grown = new AbortController();
    const answers: string[] = [];
    const writing = (async () => {
      for (let at = 0; !grown.signal.aborted; at = (at + 1) % 8000)
        answers.push(await session.run(`write -P 0x77 ${at * 65536} 64k`));
    })();
    for (let size = 1; size < 5; size += 1) {
      // Among its commands, not before the first.
      const soFar = answers.length;
      await vi.waitUntil(() => answers.length > soFar + 20, 10_000);
      await a.backend.extendVolume({ ...a.volume, sizeGb: size }, size + 1);
    }
    grown.abort();
    await writing;
    expect(answers.length).toBeGreaterThan(80);
    expect(answers.filter((text) => !text.includes('wrote 65536/65536'))).toEqual([]);
    expect((await a.backend.sessions(a.volume.id)).length).toBe(1);
    // QEMU asks the disk for its size before it agrees.
    expect(await session.run('truncate 5G')).not.toMatch(/cannot|error|fail/i);
    expect(await session.run('length')).toContain('5 GiB');
    expect(await session.run('write -P 0x78 5368643584 64k')).toContain('wrote 65536/65536');
    expect(await session.run('read -P 0x77 0 64k')).toContain('read 65536/65536');
  });

  it('by new targets is refused while a host has the volume', async () => {
    await using a = await bench({ growth: 'recreate' });
    await a.backend.start(NOTHING);
    await a.backend.createVolume(a.volume);
    await a.backend.initializeConnection(a.volume, HOST, 'rw');
    expect(a.backend.onlineExtendRefusal).toContain('targets anew');
    await expect(a.backend.extendVolume(a.volume, 2)).rejects.toMatchObject({ code: 'VOLUME_IN_USE' });
    await a.backend.terminateConnection(a.volume, HOST);
    await a.backend.extendVolume(a.volume, 2);
    const file = join(a.folder, 'volumes', 'iscsi', 'share', `volume-${a.volume.id}.raw`);
    expect((await stat(file)).size).toBe(2 ** 31);
  });
});

describe('the target service', () => {
  it('outlives the cloud; when it ends itself, another serves the same disk to the same session', async () => {
    await using a = await bench();
    await a.backend.start(NOTHING);
    await a.backend.createVolume(a.volume);
    const unknown = { id: randomUUID(), sizeGb: 1 };
    await a.backend.createVolume(unknown);
    await a.backend.initializeConnection(unknown, HOST, 'rw');
    const info = await a.backend.initializeConnection(a.volume, HOST, 'rw');
    const fields = fieldsOf(info);
    const [{ pid }, page] = [await a.tgtd(), await inquire(fields)];
    await using session = await Session.open(fields, a.folder);
    await a.backend.stop();

    const known = { ...NOTHING, volumes: [a.volume], attachments: [{ volume: a.volume, connector: HOST }] };
    const next = a.again();
    await next.start(known);
    expect((await a.tgtd()).pid).toBe(pid);
    expect(await session.run('write 0 64k')).toContain('wrote');
    expect(await discover(fields.portal)).toEqual([fields.iqn]);
    await next.stop();

    process.kill(pid, 'SIGKILL');
    const last = a.again();
    await last.start(known);
    expect((await a.tgtd()).pid).not.toBe(pid);
    expect(await last.initializeConnection(a.volume, HOST, 'rw')).toEqual(info);
    expect(await inquire(fields)).toBe(page);
    expect(await session.run('write 0 64k')).toContain('wrote');

    // By itself, while the cloud runs.
    process.kill((await a.tgtd()).pid, 'SIGKILL');
    expect(await session.run('write 64k 64k')).toContain('wrote');
  });

  it('completes what a process that was killed in the middle of a growth left', async () => {
    await using a = await bench();
    await a.backend.start(NOTHING);
    await a.backend.createVolume(a.volume);
    const fields = fieldsOf(await a.backend.initializeConnection(a.volume, HOST, 'rw'));
    await a.backend.stop();
    const known = { ...NOTHING, volumes: [a.volume], attachments: [{ volume: a.volume, connector: HOST }] };
    const [tid, lun] = [1, 1];
    const steps = [
      { mode: MODE.portal, op: OP.delete, text: `portalOps portal=${fields.portal},` },
      { mode: MODE.target, op: OP.update, tid, text: 'state=offline' },
      { mode: MODE.logicalUnit, op: OP.delete, tid, lun },
    ];
    for (const last of [3, 2, 1]) {
      const pid = (await a.tgtd()).pid;
      for (const step of steps.slice(3 - last)) await askTgt((await a.tgtd()).socket, step);
      const next = a.again();
      await next.start(known);
      expect(await inquire(fields)).toContain('NAA');
      // Where only the unit was missing, other volumes notice nothing.
      expect((await a.tgtd()).pid === pid).toBe(last < 3);
      await next.stop();
    }
  });

  it('does not start at a port that something else has', async () => {
    const port = await freePort();
    await using a = await bench({ port });
    await a.backend.start(NOTHING);
    await a.backend.createVolume(a.volume);
    const server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    const attach = () => a.backend.initializeConnection(a.volume, HOST, 'rw');
    await expect(attach()).rejects.toThrow(`127.0.0.1:${port} cannot be used`);
    server.close();
    await once(server, 'close');
    expect(fieldsOf(await attach()).portal).toBe(`127.0.0.1:${port}`);
    await a.backend.terminateConnection(a.volume, HOST);
    // Nobody needs it any more.
    await a.backend.stop();
    await expect(a.tgtd()).rejects.toThrow('no tgtd');
  });

  it('says what a host lacks', async () => {
    await using a = await bench();
    await a.backend.start(NOTHING);
    await a.backend.createVolume(a.volume);
    const connect = (connector: object) => a.backend.initializeConnection(a.volume, { ...connector }, 'rw');
    await expect(connect({ host: 'x' })).rejects.toThrow('no iSCSI initiator name');
    await expect(connect({ ...HOST, initiator: 'iqn.x,user=y' })).rejects.toThrow('no iSCSI initiator name');
    await a.backend.deleteVolume(a.volume.id);
  });

  it('refuses a folder whose name tgtd cannot take', async () => {
    await using folder = await tempFolder();
    const path = join(folder.path, 'a,b');
    await mkdir(path);
    await writeFile(join(path, 'x'), '');
    const backend = new IscsiBackend(path, 'tgtd', {}, pino({ level: 'silent' }));
    await expect(backend.start(NOTHING)).rejects.toThrow('comma');
  });
});
