import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MachineConfig } from '../engine.js';
import { copyDemoGuest } from '../testing/demo-guests.js';
import { MACHINE_ID, drive, machine } from '../testing/machine-config.js';
import { PipeClient } from '../testing/pipe-client.js';
import { removeSignatures } from '../testing/unsigned-guest.js';
import { createQemuEngine } from './engine.js';
import type { QemuEngine } from './engine.js';
import { readVariables } from './uefi-variables.js';

const BOOT_MS = 110_000;
type Template = NonNullable<MachineConfig['firmware']['secureBoot']>['template'];

/** One machine after the other, all with the same variable store: what one leaves, the next has to get right. */
describe('a machine with Secure Boot', () => {
  let folder: string;
  let engine: QemuEngine;
  let com1: PipeClient | undefined;

  const disk = (name: string) => path.join(folder, name);

  async function start(template: Template | undefined, file = 'root.vhdx'): Promise<PipeClient> {
    await engine.start(
      machine({
        firmware: {
          bootOrder: ['scsi-0-0'],
          ...(template === undefined ? {} : { secureBoot: { template } }),
        },
        drives: [drive({ path: disk(file) })],
        serialPorts: [{ pipe: 'com1' }],
      }),
    );
    com1 = new PipeClient(path.join(engine.pipes, 'com1'));
    return com1;
  }

  async function stop(): Promise<void> {
    com1?.close();
    await engine.turnOff(MACHINE_ID);
  }

  async function newEngine(): Promise<void> {
    engine = await createQemuEngine({ stateDir: path.join(folder, 'engine'), log: pino({ level: 'warn' }) });
    await engine.adopt([]);
  }

  const variables = async () =>
    readVariables(await readFile(path.join(folder, 'engine', 'machines', MACHINE_ID, 'nvram.fd')));

  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'nhv-test-'));
    await copyDemoGuest('gen2.vhdx', disk('root.vhdx'));
    await copyDemoGuest('gen2.vhdx', disk('unsigned.vhdx'));
    // Shim, GRUB, shim's helper and the kernel.
    expect(await removeSignatures(disk('unsigned.vhdx'))).toBeGreaterThanOrEqual(3);
    await newEngine();
  });

  afterAll(async () => {
    com1?.close();
    await engine?.close('turn-off');
    await rm(folder, { recursive: true, force: true });
  });

  it('boots a signed loader under the template for it, and the guest sees it', async () => {
    const guest = await start('MicrosoftUEFICertificateAuthority');
    await guest.hear(/^HVG ready\n/m, BOOT_MS);
    expect(guest.text).toMatch(/^HVG firmware kind=EFI secureboot=1 setupmode=0/m);
    expect(guest.text).toMatch(/^HVG lockdown none \[integrity\]/m);
    expect(guest.text).toContain('booted by UEFI, Secure Boot on, root disk scsi 0:0:0:0');
    await stop();
  });

  it('does not boot an unsigned loader, also when the host was started anew', async () => {
    await engine.close('turn-off');
    await newEngine();
    const guest = await start('MicrosoftUEFICertificateAuthority', 'unsigned.vhdx');
    await guest.hear(/failed to load Boot[^\n]*: Access Denied/, BOOT_MS);
    expect(guest.text).not.toMatch(/BdsDxe: starting Boot[^\n]*SCSI/i);
    expect(engine.isRunning(MACHINE_ID)).toBe(true);
    await stop();
  });

  it('does not boot it under the template of another system; the boot entries stay', async () => {
    const before = (await variables()).filter(({ name }) => /^Boot[\dA-F]{4}$/.test(name));
    expect(before.length).toBeGreaterThan(0);
    const guest = await start('MicrosoftWindows');
    await guest.hear(/failed to load Boot[^\n]*: Access Denied/, BOOT_MS);
    await stop();
    const names = (await variables()).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(before.map(({ name }) => name)));
  });

  it('boots anything when it is off again, and has no keys then', async () => {
    const guest = await start(undefined, 'unsigned.vhdx');
    await guest.hear(/BdsDxe: starting Boot[^\n]*/, BOOT_MS);
    await stop();
    expect((await variables()).map(({ name }) => name)).not.toContain('PK');
  });
});
