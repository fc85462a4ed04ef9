import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, readFile, readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createVhdx } from '@nova-hyperv/vhd';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import type { MachineConfig, MachineStopped } from '../engine.js';
import { eventually } from '../testing/eventually.js';
import { MACHINE_ID, drive, machine } from '../testing/machine-config.js';
import { PipeClient } from '../testing/pipe-client.js';
import { temporaryFolders } from '../testing/temp-folder.js';
import { createQemuEngine } from './engine.js';
import type { QemuEngine } from './engine.js';
import { identify, isAlive } from './process.js';
import type { ProcessIdentity } from './process.js';
import type { RunRecord } from './run-record.js';

const FAKE = fileURLToPath(new URL('../testing/fake-qemu.mjs', import.meta.url));
const OTHER_ID = MACHINE_ID.replace(/1$/, '2');

/** Generation 1, so that no firmware is needed. */
function plain(fields: Partial<MachineConfig> = {}): MachineConfig {
  return machine({ generation: 1, ...fields });
}

function processOf(record: RunRecord): ProcessIdentity {
  if (record.process === undefined) throw new Error('The record names no process.');
  return record.process;
}

describe('the QEMU engine, with a stand-in for QEMU', () => {
  const folder = temporaryFolders();
  const engines: QemuEngine[] = [];
  const strays: ProcessIdentity[] = [];
  afterEach(async () => {
    await Promise.all(engines.splice(0).map((engine) => engine.close('turn-off')));
    for (const stray of strays.splice(0)) if (await isAlive(stray)) process.kill(stray.pid, 'SIGKILL');
  });

  interface Bench {
    readonly state: string;
    readonly stopped: MachineStopped[];
    engine(): Promise<QemuEngine>;
    record(id?: string): Promise<RunRecord>;
  }

  async function bench(): Promise<Bench> {
    const state = await folder();
    const binary = path.join(state, 'qemu');
    await writeFile(binary, `#!/bin/bash\nexec -a qemu ${process.execPath} ${FAKE} "$@"\n`);
    await chmod(binary, 0o755);
    const stopped: MachineStopped[] = [];
    return {
      state,
      stopped,
      engine: async () => {
        const options = { stateDir: path.join(state, 'engine'), log: pino({ level: 'silent' }) };
        const engine = await createQemuEngine({ ...options, qemuBinary: binary, accel: 'tcg' });
        engine.onStopped((event) => stopped.push(event));
        engines.push(engine);
        return engine;
      },
      record: async (id = MACHINE_ID) => {
        const text = await readFile(path.join(state, 'engine', 'machines', id, 'run.json'), 'utf8');
        const record: RunRecord = JSON.parse(text);
        if (record.process !== undefined) strays.push(record.process);
        return record;
      },
    };
  }

  async function disk(): Promise<string> {
    const file = path.join(await folder(), 'disk.vhdx');
    await createVhdx({ path: file, type: 'dynamic', virtualSize: 8 * 1024 * 1024 });
    return file;
  }

  it('starts, pauses, and turns off leaving nothing', async () => {
    const test = await bench();
    const engine = await test.engine();
    await engine.start(plain({ drives: [drive({ path: await disk() })] }));
    const running = processOf(await test.record());
    expect(await isAlive(running)).toBe(true);
    await expect(engine.start(plain())).rejects.toMatchObject({ code: 'ALREADY_RUNNING' });
    await engine.pause(MACHINE_ID);
    await engine.resume(MACHINE_ID);
    const stats = await engine.stats(MACHINE_ID);
    expect(stats.uptimeMs).toBeLessThan(60_000);
    // What the stand-in says that the guest did.
    expect(stats.drives).toEqual([
      { id: drive().id, readBytes: 8192, writtenBytes: 4096, readRequests: 2, writeRequests: 1, busyMs: 3.5 },
    ]);
    await engine.turnOff(MACHINE_ID);
    expect([engine.isRunning(MACHINE_ID), await isAlive(running)]).toEqual([false, false]);
    expect(existsSync(path.join(test.state, 'engine', 'machines', MACHINE_ID, 'run.json'))).toBe(false);
    expect(await readdir(path.dirname(engine.pipes))).toEqual(['pipes']);
    expect(test.stopped).toEqual([]);
    await engine.forget(MACHINE_ID);
    expect(await readdir(path.join(test.state, 'engine', 'machines'))).toEqual([]);
  });

  it('tells a guest that shut itself down from a QEMU that died', async () => {
    const test = await bench();
    const engine = await test.engine();
    await engine.start(plain());
    await engine.requestShutdown(MACHINE_ID);
    await eventually('shut down', () => test.stopped.length === 1);
    await engine.start(plain());
    process.kill(processOf(await test.record()).pid, 'SIGKILL');
    await eventually('noticed', () => test.stopped.length === 2);
    expect(test.stopped.map(({ reason }) => reason)).toEqual(['guest', 'crash']);
    expect(engine.isRunning(MACHINE_ID)).toBe(false);
    await engine.start(plain());
  });

  it.each([
    ['dies', 'OUT_OF_MEMORY'],
    ['rejects-cont', 'FAILED'],
  ])('leaves nothing of a start that fails: %s', async (name, code) => {
    const test = await bench();
    const engine = await test.engine();
    const file = await disk();
    const config = plain({ name, drives: [drive({ path: file })], serialPorts: [{ pipe: 'console' }] });
    await expect(engine.start(config)).rejects.toMatchObject({ code });
    expect(await readdir(engine.pipes)).toEqual([]);
    expect(await readdir(path.dirname(engine.pipes))).toEqual(['pipes']);
    await engine.start(plain({ id: OTHER_ID, drives: [drive({ path: file })] }));
  });

  it('refuses disks before QEMU starts', async () => {
    const test = await bench();
    const engine = await test.engine();
    const file = await disk();
    await engine.start(plain({ drives: [drive({ path: file })] }));
    const other = (fields: object): Promise<void> =>
      engine.start(plain({ id: OTHER_ID, drives: [drive(fields)] }));
    await expect(other({ path: file })).rejects.toMatchObject({ code: 'DISK_IN_USE' });
    await expect(other({ path: '/nowhere/disk.vhdx' })).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    await expect(other({ path: FAKE })).rejects.toMatchObject({ code: 'DISK_INVALID' });
    expect(existsSync(path.join(test.state, 'engine', 'machines', OTHER_ID, 'qemu.log'))).toBe(false);
  });

  it('gives what it hears on a COM port to the pipe, and back', async () => {
    const test = await bench();
    const engine = await test.engine();
    await engine.start(plain({ serialPorts: [{}, { pipe: 'second' }] }));
    const client = new PipeClient(path.join(engine.pipes, 'second'));
    await client.send('hello');
    await client.hear(/com2 heard hello/);
    await engine.turnOff(MACHINE_ID);
    await eventually('the pipe is closed', () => client.isClosed);
  });

  it('undoes a hot-plug that QEMU refuses, and keeps one that it takes', async () => {
    const test = await bench();
    const engine = await test.engine();
    await engine.start(plain());
    const file = await disk();
    const refused = drive({ id: 'scsi-0-63', slot: 63, path: file });
    await expect(engine.attachDrive(MACHINE_ID, refused)).rejects.toMatchObject({ code: 'FAILED' });
    expect((await test.record()).config.drives.map(({ id }) => id)).toEqual(['scsi-0-0']);
    await engine.attachDrive(MACHINE_ID, drive({ path: file }));
    expect((await test.record()).config.drives).toEqual([drive({ path: file })]);
    await engine.detachDrive(MACHINE_ID, 'scsi-0-0');
    expect((await test.record()).config.drives).toEqual([]);
    await engine.attachDrive(MACHINE_ID, drive({ path: file }));
  });

  it('takes over what outlived the last process, with its disks, and ends the rest', async () => {
    const test = await bench();
    const first = await test.engine();
    const kept = plain({ drives: [drive({ path: await disk() })], serialPorts: [{ pipe: 'console' }] });
    await first.start(kept);
    await first.start(plain({ id: OTHER_ID }));
    const [running, unknown] = [processOf(await test.record()), processOf(await test.record(OTHER_ID))];
    await first.close('keep');
    expect([await isAlive(running), await isAlive(unknown)]).toEqual([true, true]);

    const second = await test.engine();
    const adopted = await second.adopt([kept]);
    expect(adopted).toMatchObject([{ machineId: MACHINE_ID, state: 'running' }]);
    expect([await isAlive(running), await isAlive(unknown)]).toEqual([true, false]);
  });

  it('turns off what was half started, even where its process was not written down', async () => {
    const test = await bench();
    const first = await test.engine();
    await first.start(plain());
    const record = await test.record();
    await first.close('keep');
    const file = path.join(test.state, 'engine', 'machines', MACHINE_ID, 'run.json');
    const { process: started, ...unwritten } = record;
    await writeFile(file, JSON.stringify({ ...unwritten, phase: 'starting' }));
    const second = await test.engine();
    expect(await second.adopt([plain()])).toEqual([]);
    expect(started !== undefined && (await isAlive(started))).toBe(false);
    expect(existsSync(file)).toBe(false);
    await second.start(plain());
  });

  it('does not take another process for the one that it knew', async () => {
    const test = await bench();
    const first = await test.engine();
    await first.start(plain());
    const record = await test.record();
    await first.close('keep');
    process.kill(processOf(record).pid, 'SIGKILL');
    const stranger = spawn(process.execPath, ['-e', 'setInterval(() => 0, 1000)'], { stdio: 'ignore' });
    const identity = await identify(stranger.pid ?? 0);
    if (identity === undefined) throw new Error('The stranger did not start.');
    strays.push(identity);
    const reused = { ...processOf(record), pid: identity.pid };
    const file = path.join(test.state, 'engine', 'machines', MACHINE_ID, 'run.json');
    await writeFile(file, JSON.stringify({ ...record, process: reused }));
    const second = await test.engine();
    expect(await second.adopt([plain()])).toEqual([]);
    expect(await isAlive(identity)).toBe(true);
  });

  it('drops what was being plugged when the last process was killed', async () => {
    const test = await bench();
    const first = await test.engine();
    await first.start(plain());
    const record = await test.record();
    await first.close('keep');
    const file = path.join(test.state, 'engine', 'machines', MACHINE_ID, 'run.json');
    const half = drive({ id: 'scsi-0-1', slot: 1, path: await disk() });
    await writeFile(file, JSON.stringify({ ...record, config: { ...record.config, drives: [half] } }));
    const second = await test.engine();
    expect(await second.adopt([plain()])).toHaveLength(1);
    expect((await test.record()).config.drives).toEqual([]);
    await second.attachDrive(MACHINE_ID, half);
  });

  it('clears stale sockets', async () => {
    const test = await bench();
    const engine = await test.engine();
    const stale = path.join(engine.pipes, 'stale');
    const server = createServer().listen(stale);
    await engine.adopt([]);
    expect(existsSync(stale)).toBe(false);
    server.close();
  });
});
