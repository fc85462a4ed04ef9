import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createVhdx, inspect } from '@nova-hyperv/vhd';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MachineConfig, MachineStopped } from '../engine.js';
import { copyDemoGuest } from '../testing/demo-guests.js';
import { eventually } from '../testing/eventually.js';
import { MACHINE_ID, drive, machine } from '../testing/machine-config.js';
import { PingResponder } from '../testing/ping-responder.js';
import { PipeClient } from '../testing/pipe-client.js';
import { createQemuEngine } from './engine.js';
import type { QemuEngine } from './engine.js';

const BOOT_MS = 110_000;
const MIB = 1024 * 1024;
// The scratch partition, so that the guest can boot again.
const WRITE_SCRATCH =
  'for i in 1 2 3 4 5 6 7 8 9; do dd if=/dev/zero of=/dev/sda2 bs=4k count=250 oflag=direct 2>/tmp/dd || break; done';
const RUN_MACHINE = fileURLToPath(new URL('../testing/run-machine.ts', import.meta.url));

/** Starts a machine from a process of its own; settles with the folder of its pipes. */
function startElsewhere(
  stateDir: string,
  config: MachineConfig,
): Promise<{ child: ChildProcess; pipes: string }> {
  const args = ['--import', 'tsx', '--conditions=source', RUN_MACHINE, stateDir, JSON.stringify(config)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`The starting process ended with ${code}.`)));
    child.stdout.once('data', (chunk: Buffer) => {
      const { pipes }: { pipes: string } = JSON.parse(chunk.toString());
      resolve({ child, pipes });
    });
  });
}

// One boot for all; the checks follow one another. The guest is started by a process that is then killed.
describe('a generation 2 guest whose host process was killed', () => {
  const stopped: MachineStopped[] = [];
  let folder: string;
  let root: string;
  let child: ChildProcess | undefined;
  let engine: QemuEngine;
  let com1: PipeClient;
  let report: string;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'nhv-test-'));
    root = path.join(folder, 'root.vhdx');
    const stateDir = path.join(folder, 'a-state-folder-whose-path-is-too-long-for-sockets', 'engine');
    await copyDemoGuest('gen2.vhdx', root);
    const config = machine({
      drives: [drive({ path: root })],
      nics: [{ id: 'n1', type: 'synthetic', mac: '00:15:5d:00:00:01', switchId: 's' }],
      serialPorts: [{ pipe: 'com1' }],
    });
    const started = await startElsewhere(stateDir, config);
    child = started.child;
    const before = new PipeClient(path.join(started.pipes, 'com1'));
    await before.hear(/^HVG ready\n/m, BOOT_MS);
    report = before.text;
    // The guest is in the middle of writing when the process that serves its disk is killed.
    await before.send(`exec ${WRITE_SCRATCH}`);
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.removeAllListeners('exit');
    child.kill('SIGKILL');
    await eventually('the pipe is gone', () => before.isClosed);

    engine = await createQemuEngine({ stateDir, log: pino({ level: 'warn' }) });
    engine.onStopped((event) => stopped.push(event));
    const adopted = await engine.adopt([config]);
    expect(adopted).toMatchObject([{ machineId: MACHINE_ID, state: 'running' }]);
    com1 = new PipeClient(path.join(engine.pipes, 'com1'));
  });

  afterAll(async () => {
    child?.kill('SIGKILL');
    com1?.close();
    await engine?.close('turn-off');
    await rm(folder, { recursive: true, force: true });
  });

  it('was booted by UEFI from SCSI, and saw no legacy hardware', () => {
    // 'none' where OVMF is built without Secure Boot, as Debian 13's plain one is.
    expect(report).toMatch(/HVG firmware kind=EFI secureboot=(0|none)/);
    expect(report).toMatch(
      /HVG block name=sda bus=virtio-scsi driver=virtio_scsi hctl=0:0:0:0 size=33554432/,
    );
    expect(report).toContain("HVG dmi vendor='Microsoft Corporation' product='Virtual Machine'");
    expect(report).toContain('HVG serial port=ttyS1 present=0');
    expect(report).toContain("HVG inputs 'Power Button;'");
    expect(report).toContain(
      'nova-hyperv guest: booted by UEFI, Secure Boot off, root disk scsi 0:0:0:0, no IDE\n',
    );
  });

  it('goes on writing to its disk, and answers on COM1', async () => {
    await com1.hear(/HVG done cmd=exec rc=0/, 60_000);
    const log = await com1.command("exec dmesg | grep -c 'I/O error'");
    expect(log).toMatch(/^0$/m);
  });

  it('reaches the others on its switch, until it is unplugged', async () => {
    const peer = new PingResponder();
    peer.plugInto(engine.fabric.plug('s', peer));
    await com1.command('ip eth0 10.9.8.2/24');
    expect(await com1.command('ping 10.9.8.1')).toContain('rc=0');
    expect(peer.senders).toContain('00:15:5d:00:00:01');
    await engine.connectNic(MACHINE_ID, 'n1', null);
    expect(await com1.command('nics')).toMatch(/mac=00:15:5d:00:00:01 .*carrier=0/);
    expect(await com1.command('ping 10.9.8.1')).toContain('rc=1');
    await engine.connectNic(MACHINE_ID, 'n1', 's');
    expect(await com1.command('ping 10.9.8.1')).toContain('rc=0');
  });

  it('sees a disk that is added, grown, limited and taken away', async () => {
    const data = path.join(folder, 'data.vhdx');
    await createVhdx({ path: data, type: 'dynamic', virtualSize: 32 * MIB });
    const added = drive({ id: 'scsi-0-5', slot: 5, path: data });
    await engine.attachDrive(MACHINE_ID, added);
    await eventually('the disk', async () => (await com1.command('disks')).includes('hctl=0:0:0:5'));
    expect(await com1.command('wblk 0:0:0:5 100 written-by-the-guest')).toContain('rc=0');
    await engine.refreshDriveSize(MACHINE_ID, 'scsi-0-5', 64 * MIB);
    const grown = await com1.command('exec sleep 1; cat /sys/bus/scsi/devices/0:0:0:5/block/*/size');
    expect(grown).toContain(String((64 * MIB) / 512));
    expect(await com1.command('rblk 0:0:0:5 100')).toContain('HVG data written-by-the-guest');
    await engine.attachDrive(MACHINE_ID, { ...added, iopsLimit: 100 });
    const timed = await com1.command('bench 0:0:0:5 8k 200');
    const [, from, to] = /start=(\S+) end=(\S+)/.exec(timed) ?? [];
    expect(Number(to) - Number(from)).toBeGreaterThan(1.5);
    await engine.detachDrive(MACHINE_ID, 'scsi-0-5');
    expect(await com1.command('disks')).not.toContain('hctl=0:0:0:5');
    expect((await inspect(data)).virtualSize).toBe(64 * MIB);
  });

  it('sees its own disk grow', async () => {
    await engine.refreshDriveSize(MACHINE_ID, 'scsi-0-0', 48 * MIB);
    const grown = await com1.command('exec sleep 1; cat /sys/bus/scsi/devices/0:0:0:0/block/*/size');
    expect(grown).toContain(String((48 * MIB) / 512));
    await com1.command('wblk 0:0:0:0 98000 beyond-the-old-end');
    expect(await com1.command('rblk 0:0:0:0 98000')).toContain('beyond-the-old-end');
  });

  it('sees a DVD come and go', async () => {
    const iso = path.join(folder, 'a.iso');
    await writeFile(iso, isoImage('config-2'));
    const dvd = drive({ id: 'scsi-0-9', slot: 9, kind: 'dvd' });
    await engine.attachDrive(MACHINE_ID, dvd);
    await eventually('the drive', async () => (await com1.command('dvd')).includes('media=none'));
    await engine.attachDrive(MACHINE_ID, { ...dvd, path: iso });
    expect(await com1.command('dvd')).toContain('media=yes label=config-2');
    await expect(
      engine.attachDrive(MACHINE_ID, { ...dvd, path: path.join(folder, 'data.vhdx') }),
    ).rejects.toMatchObject({
      code: 'DISK_INVALID',
    });
    await engine.attachDrive(MACHINE_ID, dvd);
    expect(await com1.command('dvd')).toContain('media=none');
    await engine.detachDrive(MACHINE_ID, 'scsi-0-9');
    expect(await com1.command('disks')).not.toContain('hctl=0:0:0:9');
  });

  it('sees a network adapter come and go', async () => {
    const nic = { id: 'n2', type: 'synthetic', mac: '00:15:5d:00:00:02' } as const;
    await engine.attachNic(MACHINE_ID, nic);
    await eventually('the adapter', async () => (await com1.command('nics')).includes(nic.mac));
    await engine.detachNic(MACHINE_ID, 'n2');
    expect(await com1.command('nics')).not.toContain(nic.mac);
  });

  it('reboots by itself and goes on running', async () => {
    com1.text = '';
    await com1.send('reboot');
    await com1.hear(/^HVG ready\n/m, BOOT_MS);
    expect(engine.isRunning(MACHINE_ID)).toBe(true);
    expect(stopped).toEqual([]);
  });

  it('is gone when it is turned off', async () => {
    await engine.turnOff(MACHINE_ID);
    expect(engine.isRunning(MACHINE_ID)).toBe(false);
    expect((await inspect(root)).virtualSize).toBe(48 * MIB);
    expect(stopped).toEqual([]);
  });
});

/** As little of ISO 9660 as makes one: system area, volume descriptor with a label, terminator. */
function isoImage(label: string): Buffer {
  const image = Buffer.alloc(20 * 2048);
  image.write('\x01CD001\x01', 16 * 2048, 'latin1');
  image.write(label.padEnd(32), 16 * 2048 + 40, 'latin1');
  image.write('\xffCD001\x01', 17 * 2048, 'latin1');
  return image;
}
