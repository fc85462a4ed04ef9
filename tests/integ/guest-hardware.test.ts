import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDriver, observe, realise, specOf } from '@nova-hyperv/driver';
import type { VirtDriver, VmSpec } from '@nova-hyperv/driver';
import { startEmulatedHost } from '@nova-hyperv/emulator';
import type { EmulatedHost } from '@nova-hyperv/emulator';
import { connectHost, mappedReach } from '@nova-hyperv/hyperv';
import type { HyperVHost, MachineHandle } from '@nova-hyperv/hyperv';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyDemoGuest } from '../../packages/emulator/src/engine/testing/demo-guests.js';
import { PipeClient } from '../../packages/emulator/src/engine/testing/pipe-client.js';
import { FileImages, spawnRequest, testImage, testInstance } from '../support/driver-host.js';

const BOOT_MS = 170_000;
/** Units of 8 KiB a second. */
const LIMIT = 400;

// One boot for all: what a flavor's extra specs ask for is what the guest finds.
describe('a guest of a flavor with extra specs', () => {
  const credentials = { username: 'Administrator', password: 'not-a-secret' };
  const log = pino({ level: 'silent' });
  let folder: string;
  let emulated: EmulatedHost;
  let host: HyperVHost;
  let driver: VirtDriver;
  let com1: PipeClient | undefined;
  let report: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'guest-hardware-'));
    emulated = await startEmulatedHost({
      name: 'HV1',
      release: '2022',
      stateDir: join(folder, 'host'),
      engine: 'qemu',
      credentials,
      memoryMb: 2048,
      numaNodes: 2,
      numaSpanning: false,
      log,
    });
    const reach = mappedReach({ drives: { C: emulated.driveC }, pipes: emulated.pipes });
    host = await connectHost({ url: emulated.url, credentials, reach });
    // Dynamic memory is configured, and goes with neither of the two.
    driver = createDriver({
      host,
      log,
      config: { dynamicMemoryRatio: 2, enableInstanceMetricsCollection: true },
    });
    await driver.initHost();
    const image = join(folder, 'gen2.vhdx');
    await copyDemoGuest('gen2.vhdx', image);
    const extraSpecs = {
      'hw:numa_nodes': '2',
      'hw:cpu_features': 'VMX',
      'quota:cpu_shares_level': 'high',
      'quota:disk_total_iops_sec': String(LIMIT),
    };
    const instance = testInstance(1, { vcpus: 2, ephemeralGb: 1, extraSpecs });
    // Its first lines are the console logger's: the guest is asked for its report again.
    await driver.spawn(spawnRequest(new FileImages(image), { image: testImage(2), instance }));
    const pipe = `${instance.uuid}_rw`;
    await waitForLog(/^HVG ready/m);
    com1 = new PipeClient(join(emulated.pipes, pipe));
    report = await com1.command('report');
  }, BOOT_MS + 60_000);

  afterAll(async () => {
    com1?.close();
    await driver?.close();
    await host?.close();
    await emulated?.stop('shut-down');
    await rm(folder, { recursive: true, force: true });
  });

  async function waitForLog(pattern: RegExp): Promise<void> {
    const until = Date.now() + BOOT_MS;
    for (;;) {
      const text = Buffer.from(await driver.consoleOutput(testInstance(1))).toString('latin1');
      if (pattern.test(text)) return;
      if (Date.now() > until) throw new Error(`The guest did not say ${pattern}; last: ${text.slice(-500)}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  async function machineAndSpec(): Promise<{ machine: MachineHandle; spec: VmSpec }> {
    const [machine] = await host.machines.findByName(testInstance(1).name);
    if (machine === undefined) throw new Error('There is no machine');
    return { machine, spec: specOf(await observe(host, machine)) };
  }

  it('has the host hold what was planned', async () => {
    const { spec } = await machineAndSpec();
    expect(spec.processors).toMatchObject({
      count: 2,
      nestedVirtualization: true,
      numa: { processorsPerNode: 1, memoryMbPerNode: 256, nodesPerSocket: 1 },
      weight: 200,
    });
    expect(spec.memory).toEqual({ dynamic: false, startupMb: 512, minimumMb: 512, maximumMb: 512 });
    expect(spec.drives.map((drive) => drive.iopsLimit)).toEqual([LIMIT, LIMIT]);
  });

  it('sees its NUMA nodes, each with its processor and its memory', () => {
    expect(report).toMatch(/^HVG numa nodes=2$/m);
    const nodes = [...report.matchAll(/^HVG node id=(\d) cpus=(\d) mem_kb=(\d+)/gm)];
    expect(nodes.map(([, id, cpus]) => `${id}:${cpus}`)).toEqual(['0:0', '1:1']);
    // Firmware and kernel keep some for themselves.
    for (const [, , , kilobytes] of nodes) {
      expect(Number(kilobytes)).toBeGreaterThan(128 * 1024);
      expect(Number(kilobytes)).toBeLessThanOrEqual(256 * 1024);
    }
  });

  it("sees virtualization extensions: AMD's, which are what software emulation has", () => {
    expect(report).toMatch(/^HVG cpu count=2 .*(vmx=1 svm=0|vmx=0 svm=1)/m);
  });

  it('reads its disks no faster than the limit, and at full speed when that is taken away', async () => {
    const slow = await secondsToRead();
    // 1500 units; QEMU lets the first tenth of a second's worth pass.
    expect(slow).toBeGreaterThan((1500 / LIMIT) * 0.85);
    const { machine, spec } = await machineAndSpec();
    const drives = spec.drives.map((drive) => ({ ...drive, iopsLimit: 0 }));
    await realise(host, machine, { ...spec, drives }, await observe(host, machine));
    const fast = await secondsToRead();
    expect(fast).toBeLessThan(slow / 2);
  });

  it('is measured by its host: what it reads, and that it computes', async () => {
    const before = await driver.instanceDiagnostics(testInstance(1));

    await secondsToRead();
    const { machine } = await machineAndSpec();
    const [after, metrics] = await Promise.all([
      driver.instanceDiagnostics(testInstance(1)),
      host.metrics.values(machine.system),
    ]);
    // 188 pieces of 64 KiB, told in whole MiB; little else is going on.
    const more = (after.disks[1]?.readBytes ?? 0) - (before.disks[1]?.readBytes ?? 0);
    expect(more / 2 ** 20).toBeGreaterThanOrEqual(11);
    expect(more / 2 ** 20).toBeLessThanOrEqual(13);
    expect(before.disks[0]?.readBytes).toBeGreaterThan(2 ** 20);
    expect(after).toMatchObject({ state: 'running', processors: 2, memoryMb: { used: 512, maximum: 512 } });
    expect(after.uptimeSeconds).toBeGreaterThan(before.uptimeSeconds - 1);
    // Since the question before, in which the guest read and this machine emulated it.
    expect(after.processorLoadPercent).toBeGreaterThan(0);
    expect(metrics.cpu).toBeGreaterThan(0);
    expect(metrics.memory).toBe(512);
  });

  it('is measured at its switch port: what it sends, in whole MiB', async () => {
    const [before] = (await driver.instanceDiagnostics(testInstance(1))).nics;
    // Multicast asks nobody for an address.
    await com1?.command(
      'exec ip link set eth0 up; ip addr add 10.9.9.1/24 dev eth0; ip route add 239.0.0.0/8 dev eth0; ' +
        'ping -c 56 -i 0.02 -W 1 -s 60000 239.1.1.1',
    );
    const [after] = (await driver.instanceDiagnostics(testInstance(1))).nics;
    const sent = ((after?.sentBytes ?? 0) - (before?.sentBytes ?? 0)) / 2 ** 20;
    expect(sent).toBeGreaterThanOrEqual(3);
    expect(sent).toBeLessThanOrEqual(4);
    expect(after?.receivedBytes).toBe(0);
  });

  /** Seconds on the guest's clock for 12 MB in pieces of 64 KiB, which count as eight each, of the second disk. */
  async function secondsToRead(): Promise<number> {
    const said = (await com1?.command('bench 0:0:0:1 64k 188')) ?? '';
    const [, from, to] = /^HVG bench .*start=([\d.]+) end=([\d.]+)/m.exec(said) ?? [];
    return Number(to) - Number(from);
  }
});
