import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MachineStopped } from '../engine.js';
import { copyDemoGuest } from '../testing/demo-guests.js';
import { eventually } from '../testing/eventually.js';
import { MACHINE_ID, drive, machine } from '../testing/machine-config.js';
import { PipeClient } from '../testing/pipe-client.js';
import { createQemuEngine } from './engine.js';
import type { QemuEngine } from './engine.js';

const BOOT_MS = 110_000;

// One boot, and one more after the reset; the checks follow one another.
describe('a generation 1 guest', () => {
  const stopped: MachineStopped[] = [];
  let folder: string;
  let engine: QemuEngine;
  let console1: PipeClient;
  let report: string;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'nhv-test-'));
    const disk = path.join(folder, 'root.vhd');
    await copyDemoGuest('gen1.vhd', disk);
    engine = await createQemuEngine({ stateDir: path.join(folder, 'engine'), log: pino({ level: 'warn' }) });
    engine.onStopped((event) => stopped.push(event));
    await engine.start(
      machine({
        generation: 1,
        memoryMb: 256,
        firmware: { bootOrder: ['ide-1-0', 'ide-0-0'] },
        drives: [
          drive({ id: 'ide-0-0', bus: 'ide', path: disk }),
          drive({ id: 'ide-1-0', bus: 'ide', controller: 1, kind: 'dvd' }),
        ],
        nics: [{ id: 'n1', type: 'synthetic', mac: '00:15:5d:00:00:01', switchId: 's' }],
        serialPorts: [{ pipe: 'com1' }, { pipe: 'com2' }],
      }),
    );
    console1 = new PipeClient(path.join(engine.pipes, 'com1'));
    await console1.hear(/^HVG ready\n/m, BOOT_MS);
    report = console1.text;
  });

  afterAll(async () => {
    console1?.close();
    await engine?.close('turn-off');
    await rm(folder, { recursive: true, force: true });
  });

  it('is booted by BIOS from IDE', () => {
    expect(report).toContain('HVG firmware kind=BIOS');
    expect(report).toMatch(/HVG block name=sda bus=ide driver=ata_piix hctl=0:0:0:0 size=33554432/);
    expect(report).toMatch(/HVG block name=sr0 bus=ide driver=ata_piix hctl=1:0:0:0/);
    expect(report).toContain('nova-hyperv guest: booted by BIOS, root disk ide 0:0:0:0\n');
    expect(report).toContain('mac=00:15:5d:00:00:01');
    expect(report).toContain(`uuid=${machine().biosGuid.toLowerCase()}`);
  });

  it('has two serial ports', async () => {
    expect(report).toContain('HVG serial port=ttyS1 present=1');
    const console2 = new PipeClient(path.join(engine.pipes, 'com2'));
    await console2.hear(/HVG second-port alive/, 30_000);
    await console1.command('com2 good morning');
    await console2.hear(/good morning/);
    console2.close();
  });

  it('takes no IDE disk and no network adapter while it runs', async () => {
    const added = drive({ id: 'ide-0-1', bus: 'ide', slot: 1, path: '/nowhere' });
    await expect(engine.attachDrive(MACHINE_ID, added)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    const nic = { id: 'n2', type: 'synthetic', mac: '00:15:5d:00:00:02' } as const;
    await expect(engine.attachNic(MACHINE_ID, nic)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  it('stands still while it is paused', async () => {
    await engine.pause(MACHINE_ID);
    console1.text = '';
    await console1.send('exec echo awake');
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(console1.text).toBe('');
    await engine.resume(MACHINE_ID);
    await console1.hear(/awake/);
  });

  it('shows its screen', async () => {
    const { width, height, rgb } = (await engine.screenshot(MACHINE_ID))!;
    expect(rgb).toHaveLength(width * height * 3);
    // Something is written on it.
    expect(rgb.some((value) => value > 0x80)).toBe(true);
  });

  it('boots again on reset, in the same run', async () => {
    console1.text = '';
    await engine.reset(MACHINE_ID);
    await console1.hear(/^HVG ready\n/m, BOOT_MS);
    expect(engine.isRunning(MACHINE_ID)).toBe(true);
    expect(stopped).toEqual([]);
  });

  it('shuts down by itself when asked to', async () => {
    await engine.requestShutdown(MACHINE_ID);
    await eventually('shut down', () => stopped.length === 1, 30_000);
    expect(stopped).toEqual([{ machineId: MACHINE_ID, reason: 'guest' }]);
    expect(console1.text).toMatch(/HVG powerbutton pressed\nHVG halting/);
  });
});
