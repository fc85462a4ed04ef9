import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyDemoGuest } from '../testing/demo-guests.js';
import { MACHINE_ID, drive, machine } from '../testing/machine-config.js';
import { PipeClient } from '../testing/pipe-client.js';
import { createQemuEngine } from './engine.js';
import type { QemuEngine } from './engine.js';
import { findProcesses } from './process.js';

const BOOT_MS = 110_000;

const pcr7 = (text: string) => /^HVG tpm present=1 version=2 .*pcr7=([\dA-F]{64})/m.exec(text)?.[1];

/** Two boots: what the TPM holds must outlive the first, and the process that started it. */
describe('a machine with a TPM', () => {
  let folder: string;
  let engine: QemuEngine;
  let com1: PipeClient;
  const config = () =>
    machine({
      tpm: true,
      firmware: { bootOrder: ['scsi-0-0'], secureBoot: { template: 'MicrosoftUEFICertificateAuthority' } },
      drives: [drive({ path: path.join(folder, 'root.vhdx') })],
      serialPorts: [{ pipe: 'com1' }],
    });
  const newEngine = () =>
    createQemuEngine({ stateDir: path.join(folder, 'engine'), log: pino({ level: 'warn' }) });

  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'nhv-test-'));
    await copyDemoGuest('gen2.vhdx', path.join(folder, 'root.vhdx'));
    engine = await newEngine();
  });

  afterAll(async () => {
    com1?.close();
    await engine?.close('turn-off');
    await rm(folder, { recursive: true, force: true });
  });

  it('shows it to the guest, which measured how it booted', async () => {
    await engine.start(config());
    com1 = new PipeClient(path.join(engine.pipes, 'com1'));
    await com1.hear(/^HVG ready\n/m, BOOT_MS);
    expect(com1.text).toMatch(/^HVG firmware kind=EFI secureboot=1/m);
    expect(pcr7(com1.text)).toBeDefined();
    expect(pcr7(com1.text)).not.toMatch(/^0*$/);
  });

  it('goes on when the next process takes the machine over, and measures the same when it boots again', async () => {
    const before = pcr7(com1.text);
    com1.close();
    await engine.close('keep');
    engine = await newEngine();
    expect(await engine.adopt([config()])).toMatchObject([{ machineId: MACHINE_ID, state: 'running' }]);
    com1 = new PipeClient(path.join(engine.pipes, 'com1'));
    expect(pcr7(await com1.command('tpm'))).toBe(before);
    com1.close();
    await engine.turnOff(MACHINE_ID);
    expect(await findProcesses(path.join(folder, 'engine'))).toEqual([]);
    await engine.start(config());
    com1 = new PipeClient(path.join(engine.pipes, 'com1'));
    await com1.hear(/^HVG ready\n/m, BOOT_MS);
    expect(pcr7(com1.text)).toBe(before);
  });
});
