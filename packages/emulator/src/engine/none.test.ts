import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createVhdx, inspect } from '@nova-hyperv/vhd';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import type { MachineStopped } from './engine.js';
import { createNoneEngine } from './none.js';
import type { NoneEngine } from './none.js';
import { eventually } from './testing/eventually.js';
import { MACHINE_ID, drive, machine } from './testing/machine-config.js';
import { PipeClient } from './testing/pipe-client.js';
import { temporaryFolders } from './testing/temp-folder.js';

const OTHER_ID = MACHINE_ID.replace(/1$/, '2');
const MIB = 1024 * 1024;

describe('the engine without guests', () => {
  const folder = temporaryFolders();
  const engines: NoneEngine[] = [];
  afterEach(async () => {
    for (const engine of engines.splice(0)) await engine.close('turn-off');
  });

  async function engineIn(stateDir: string): Promise<NoneEngine> {
    const engine = await createNoneEngine({ stateDir, log: pino({ level: 'silent' }) });
    engines.push(engine);
    return engine;
  }

  async function disk(): Promise<string> {
    const file = path.join(await folder(), 'disk.vhdx');
    await createVhdx({ path: file, type: 'dynamic', virtualSize: 8 * MIB });
    return file;
  }

  it('goes through the power states', async () => {
    const engine = await engineIn(await folder());
    const stopped: MachineStopped[] = [];
    engine.onStopped((event) => stopped.push(event));
    await engine.start(machine());
    expect(engine.isRunning(MACHINE_ID)).toBe(true);
    await expect(engine.start(machine())).rejects.toMatchObject({ code: 'ALREADY_RUNNING' });
    await engine.pause(MACHINE_ID);
    await engine.resume(MACHINE_ID);
    await engine.reset(MACHINE_ID);
    await engine.requestShutdown(MACHINE_ID);
    await eventually('shut down', () => stopped.length === 1);
    expect(stopped).toEqual([{ machineId: MACHINE_ID, reason: 'guest' }]);
    await expect(engine.reset(MACHINE_ID)).rejects.toMatchObject({ code: 'NOT_RUNNING' });
    await engine.turnOff(MACHINE_ID);
    expect(stopped).toHaveLength(1);
  });

  it('refuses what is wrong with disks, and starts nothing then', async () => {
    const engine = await engineIn(await folder());
    const text = path.join(await folder(), 'text.vhdx');
    await writeFile(text, 'no disk at all');
    const start = (fields: object): Promise<void> => engine.start(machine({ drives: [drive(fields)] }));
    await expect(start({ path: '/nowhere/x.vhdx' })).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    await expect(start({ path: text })).rejects.toMatchObject({ code: 'DISK_INVALID' });
    await expect(start({ path: await disk(), kind: 'dvd' })).rejects.toMatchObject({ code: 'DISK_INVALID' });
    expect(engine.isRunning(MACHINE_ID)).toBe(false);
  });

  it('gives a disk to one machine at a time, also while it runs', async () => {
    const [engine, shared, own] = [await engineIn(await folder()), await disk(), await disk()];
    await engine.start(machine({ drives: [drive({ path: shared })] }));
    await engine.start(machine({ id: OTHER_ID, drives: [drive({ path: own })] }));
    const added = drive({ id: 'scsi-0-1', slot: 1, path: shared });
    await expect(engine.attachDrive(OTHER_ID, added)).rejects.toMatchObject({ code: 'DISK_IN_USE' });
    await engine.detachDrive(MACHINE_ID, 'scsi-0-0');
    await engine.attachDrive(OTHER_ID, added);
    await engine.refreshDriveSize(OTHER_ID, 'scsi-0-1', 16 * MIB);
    expect((await inspect(shared)).virtualSize).toBe(16 * MIB);
    const ide = drive({ id: 'ide-0-1', bus: 'ide', slot: 1, path: shared });
    await expect(engine.attachDrive(OTHER_ID, ide)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  it('says on the pipe that there is no guest', async () => {
    const engine = await engineIn(await folder());
    await engine.start(machine({ serialPorts: [{ pipe: 'console' }] }));
    const client = new PipeClient(path.join(engine.pipes, 'console'));
    await client.hear(/this host runs no guests/);
    await engine.turnOff(MACHINE_ID);
    await eventually('the pipe is closed', () => client.isClosed);
  });

  it('brings back what ran, as it was, and forgets what is no more', async () => {
    const [state, file] = [await folder(), await disk()];
    const config = machine({ drives: [drive({ path: file })] });
    const first = await engineIn(state);
    await first.start(config);
    await first.pause(MACHINE_ID);
    await first.start(machine({ id: OTHER_ID }));
    await first.close('keep');
    const second = await engineIn(state);
    const adopted = await second.adopt([config]);
    expect(adopted).toMatchObject([{ machineId: MACHINE_ID, state: 'paused' }]);
    expect(adopted[0]?.startedAt.getTime()).toBeLessThanOrEqual(Date.now());
    expect([second.isRunning(MACHINE_ID), second.isRunning(OTHER_ID)]).toEqual([true, false]);
    await expect(second.start(machine({ id: OTHER_ID, drives: config.drives }))).rejects.toMatchObject({
      code: 'DISK_IN_USE',
    });
  });
});
