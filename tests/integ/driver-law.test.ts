import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { define, observe, plan, realise, specOf } from '@nova-hyperv/driver';
import type { PlanInput, VmSpec } from '@nova-hyperv/driver';
import type { HyperVHost, MachineHandle } from '@nova-hyperv/hyperv';
import { createVhd, createVhdx, inspect } from '@nova-hyperv/vhd';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_CONFIG } from '@nova-hyperv/driver';
import { MIB, startTestHost, testImage, testInstance, testVif } from '../support/driver-host.js';
import type { TestHost } from '../support/driver-host.js';

/** What varies between plans: everything that a request may say and that is served. */
const requests = fc.record({
  generation: fc.constantFrom(1 as const, 2 as const),
  vcpus: fc.integer({ min: 1, max: 4 }),
  memoryMb: fc.integer({ min: 32, max: 2048 }).map((half) => 2 * half),
  rootGb: fc.integer({ min: 0, max: 3 }),
  ephemeralGb: fc.integer({ min: 0, max: 2 }),
  vifs: fc.integer({ min: 0, max: 8 }),
  logging: fc.constantFrom('1', '2'),
  interactive: fc.constantFrom('1', '2'),
  ratio: fc.constantFrom(1, 1.5, 2),
  limitCpuFeatures: fc.boolean(),
  instanceAutomaticShutdown: fc.boolean(),
  numaNodes: fc.constantFrom(0, 1, 2),
  nested: fc.boolean(),
  portSecurity: fc.constantFrom(true, false, undefined),
  specs: fc.record(
    {
      'quota:cpu_limit': fc.constantFrom('0', '500', '100000'),
      'quota:cpu_reservation': fc.constantFrom('0', '100'),
      'quota:cpu_shares_level': fc.constantFrom('low', 'normal', 'high'),
      'quota:disk_total_iops_sec': fc.constantFrom('0', '300'),
      'quota:disk_total_bytes_sec': fc.constantFrom('1', '1048576'),
    },
    { requiredKeys: [] },
  ),
  volumes: fc.array(
    fc.record({
      diskBus: fc.constantFrom(null, 'SCSI'),
      bootIndex: fc.constantFrom(null, -1, 1, 2),
      qos_specs: fc.constantFrom({}, { total_bytes_sec: '20000' }, { total_iops_sec: '77' }),
    }),
    { maxLength: 3 },
  ),
  secureBoot: fc.constantFrom('disabled', 'required'),
  osType: fc.constantFrom('windows', 'linux'),
  pciDevices: fc.subarray([0, 1]),
  remoteFx: fc.option(
    fc.record({
      resolution: fc.constantFrom('1024x768', '1600x1200', '3840x2160'),
      vram: fc.option(fc.constantFrom('64', '1024')),
    }),
  ),
});
const graphics = ({ remoteFx }: Request): Record<string, string> =>
  remoteFx === null
    ? {}
    : {
        'os:resolution': remoteFx.resolution,
        ...(remoteFx.vram === null ? {} : { 'os:vram': remoteFx.vram }),
      };
type Request = typeof requests extends fc.Arbitrary<infer T> ? T : never;

/** Machines by the dozen take their time on a busy machine, ms. */
const PATIENCE = 300_000;

describe('observe(realise(plan(x))) = plan(x)', { timeout: PATIENCE }, () => {
  let test: TestHost;
  let number = 0;
  beforeAll(async () => {
    test = await startTestHost({
      release: '2019',
      hardware: { pciDevices: [{ model: 'edu' }, { model: 'pci-testdev' }], remoteFx: 'present' },
    });
    await createVhdx({
      path: join(test.instances, '_base', 'base.vhdx'),
      type: 'dynamic',
      virtualSize: 64 * MIB,
    });
    await createVhd({
      path: join(test.instances, '_base', 'base.vhd'),
      type: 'dynamic',
      virtualSize: 64 * MIB,
    });
  });
  afterAll(async () => {
    await test.close();
  });

  /** The files need only be there: what is in them is no part of the machine. */
  async function prepare(spec: VmSpec): Promise<void> {
    const folder = test.host.reach.local(spec.directory);
    await mkdir(folder, { recursive: true });
    for (const { path } of spec.drives) {
      const local = test.host.reach.local(path);
      if (path.endsWith('.vhd')) await createVhd({ path: local, type: 'dynamic', virtualSize: 64 * MIB });
      else await createVhdx({ path: local, type: 'dynamic', virtualSize: 64 * MIB });
    }
  }

  async function specFor(host: HyperVHost, request: Request): Promise<VmSpec> {
    number += 1;
    const facts = await host.facts();
    const { generation, rootGb, ephemeralGb, numaNodes } = request;
    // Nodes are all alike.
    const vcpus = request.vcpus * Math.max(1, numaNodes);
    const memoryMb = request.memoryMb * Math.max(1, numaNodes);
    const extraSpecs = {
      ...request.specs,
      ...(numaNodes === 0 ? {} : { 'hw:numa_nodes': String(numaNodes) }),
      ...(request.nested ? { 'hw:cpu_features': ' sse2, VMX' } : {}),
      ...graphics(request),
    };
    const format = generation === 2 ? 'vhdx' : 'vhd';
    const image = testImage(generation);
    const input: PlanInput = {
      instance: {
        ...testInstance(number, { vcpus, memoryMb, rootGb, ephemeralGb, extraSpecs }),
        pciDevices: request.pciDevices.map((index) => ({ address: `0000:0${3 + index}:00.0` })),
      },
      image: {
        ...image,
        properties: {
          ...image.properties,
          logging_serial_port: request.logging,
          interactive_serial_port: request.interactive,
          ...(generation === 2 ? { os_secure_boot: request.secureBoot, os_type: request.osType } : {}),
        },
      },
      volumes: request.volumes.map(({ qos_specs, ...wish }, index) => ({
        device: {
          volumeId: `volume-${index}`,
          connectionInfo: { driverVolumeType: 'smbfs', data: { qos_specs } },
          deviceType: null,
          tag: null,
          ...wish,
        },
        path: `C:\\OpenStack\\Instances\\${testInstance(number).name}\\data${index}.vhdx`,
      })),
      vifs: Array.from({ length: request.vifs }, (_, index) => ({
        ...testVif(number * 16 + index),
        ...(request.portSecurity === undefined ? {} : { portSecurityEnabled: request.portSecurity }),
        securityGroups: index === 0 ? [] : ['group'],
      })),
      host: {
        name: facts.name,
        windowsVersion: facts.version,
        logicalProcessors: 64,
        processorMhz: 2000,
        clustered: false,
        switches: facts.switches,
        pciDevices: (await host.pci.list()).map((device) => ({ ...device, inUse: false })),
        remoteFx: await host.remoteFx(),
      },
      config: {
        ...DEFAULT_CONFIG,
        dynamicMemoryRatio: request.ratio,
        enableRemoteFx: true,
        limitCpuFeatures: request.limitCpuFeatures,
        instanceAutomaticShutdown: request.instanceAutomaticShutdown,
      },
      base: {
        kind: 'disk',
        path: `C:\\OpenStack\\Instances\\_base\\base.${format}`,
        info: await inspect(join(test.instances, '_base', `base.${format}`)),
      },
    };
    const { vm } = plan(input);
    await prepare(vm);
    return vm;
  }

  const read = async (machine: MachineHandle, like: VmSpec) =>
    specOf(await observe(test.host, machine), like);

  it('holds for new machines', async () => {
    await fc.assert(
      fc.asyncProperty(requests, async (request) => {
        const spec = await specFor(test.host, request);
        const machine = await define(test.host, spec);
        const told = await realise(test.host, machine, spec);
        expect(specOf(told, spec)).toEqual(spec);
        expect(await read(machine, spec)).toEqual(spec);
        await test.host.power.destroy(machine);
      }),
      { numRuns: 40 },
    );
  });

  it('holds for a machine that becomes another, and costs nothing when there is nothing to do', async () => {
    await fc.assert(
      fc.asyncProperty(requests, requests, async (first, second) => {
        const before = await specFor(test.host, first);
        const machine = await define(test.host, before);
        await realise(test.host, machine, before);
        const other = await specFor(test.host, { ...second, generation: first.generation });
        const after: VmSpec = { ...other, directory: before.directory };
        const seen = await observe(test.host, machine);
        await realise(test.host, machine, after, seen);
        expect(await read(machine, after)).toEqual(after);
        const again = await observe(test.host, machine);
        const trips = test.host.counters.roundTrips;
        await realise(test.host, machine, after, again);
        expect(test.host.counters.roundTrips).toBe(trips);
        await test.host.power.destroy(machine);
      }),
      { numRuns: 25 },
    );
  });

  it('puts a changed boot order right', async () => {
    const spec = await specFor(test.host, {
      generation: 2,
      vcpus: 1,
      memoryMb: 512,
      rootGb: 0,
      ephemeralGb: 1,
      vifs: 2,
      logging: '1',
      interactive: '1',
      ratio: 1,
      limitCpuFeatures: false,
      instanceAutomaticShutdown: false,
      volumes: [],
      numaNodes: 0,
      nested: false,
      portSecurity: true,
      specs: {},
      secureBoot: 'disabled',
      osType: 'linux',
      pciDevices: [],
      remoteFx: null,
    });
    const machine = await define(test.host, spec);
    const now = await realise(test.host, machine, spec);
    await test.host.machines.modifySettings(machine, {
      BootSourceOrder: now.settings?.bootSourceOrder.toReversed() ?? [],
    });
    expect(await read(machine, spec)).not.toEqual(spec);
    await realise(test.host, machine, spec, await observe(test.host, machine));
    expect(await read(machine, spec)).toEqual(spec);
  });
});
