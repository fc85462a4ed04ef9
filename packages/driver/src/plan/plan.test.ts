import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_CONFIG } from '../config.js';
import { DriverError } from '../errors.js';
import * as make from '../test-support/fixtures.js';
import type { PlanInput } from './input.js';
import { rootVirtualSize } from './disks.js';
import { plan, planEarly } from './plan.js';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

const gen1 = { properties: {} };

function refusal(work: () => unknown): DriverError {
  try {
    work();
  } catch (error) {
    if (error instanceof DriverError) return error;
    throw error;
  }
  throw new Error('It was not refused');
}

const withRoot = (rootGb: number, changes: Partial<PlanInput> = {}) =>
  make.planInput({ instance: make.instance({ flavor: make.flavor({ rootGb }) }), ...changes });
const pipes = (properties: Record<string, string>) =>
  planEarly(make.earlyInput({ image: make.image({ properties }) })).vm.serialPorts.map(
    ({ pipe }) => pipe?.replace(/^.*_/, '') ?? null,
  );
const withImage = (properties: Record<string, string>) =>
  make.earlyInput({ image: make.image({ properties }) });
const withExtraSpecs = (extraSpecs: Record<string, string>) =>
  make.earlyInput({ instance: make.instance({ flavor: make.flavor({ extraSpecs }) }) });
const withFlavor = (changes: Parameters<typeof make.flavor>[0]) =>
  make.earlyInput({ instance: make.instance({ flavor: make.flavor(changes) }) });
const onHost = (major: number, minor: number) =>
  make.earlyInput({ host: make.hostFacts({ windowsVersion: { major, minor, build: 9200 } }) });

describe('a generation 2 machine', () => {
  const { vm, files, resizedBase } = plan(make.planInput({ vifs: [make.vif(1), make.vif(2)] }));

  it('has its root on SCSI and boots from it first, from the network last', () => {
    expect(vm.generation).toBe(2);
    expect(vm.controllers).toEqual([{ bus: 'scsi', number: 0 }]);
    expect(vm.drives).toEqual([
      {
        bus: 'scsi',
        controller: 0,
        slot: 0,
        kind: 'disk',
        path: 'C:\\OpenStack\\Instances\\instance-00000001\\root.vhdx',
        iopsLimit: 0,
      },
    ]);
    expect(vm.firmware).toEqual({
      kind: 'uefi',
      bootOrder: ['scsi:0:0', `nic:${make.vif(1).portId}`, `nic:${make.vif(2).portId}`],
    });
    expect(vm.security.secureBoot).toBe(false);
  });

  it('gets a differencing root of the size that the flavor buys', () => {
    expect(resizedBase).toBeUndefined();
    expect(files).toEqual([
      {
        kind: 'difference',
        path: 'C:\\OpenStack\\Instances\\instance-00000001\\root.vhdx',
        parent: `C:\\OpenStack\\Instances\\_base\\${make.IMAGE_ID}.vhdx`,
        format: 'vhdx',
        sizeBytes: rootVirtualSize(1, make.diskInfo()),
      },
    ]);
  });

  it('connects each port to the external switch with its own MAC', () => {
    expect(vm.nics.map((nic) => nic.mac)).toEqual(['FA163E000001', 'FA163E000002']);
    expect(new Set(vm.nics.map((nic) => nic.switchId))).toEqual(new Set([make.SWITCH_ID]));
  });

  it('is plain data that nobody changes', () => {
    expect(Object.isFrozen(vm) && Object.isFrozen(vm.drives[0])).toBe(true);
  });
});

describe('a generation 1 machine', () => {
  it('is the default, with root and ephemeral on IDE and a SCSI controller besides', () => {
    const input = make.planInput({
      image: make.image({ diskFormat: 'vhd', ...gen1 }),
      instance: make.instance({ flavor: make.flavor({ ephemeralGb: 2 }) }),
      base: make.vhdBase(),
    });
    const { vm, files, resizedBase } = plan(input);
    expect(vm.generation).toBe(1);
    expect(vm.controllers).toEqual([
      { bus: 'ide', number: 0 },
      { bus: 'ide', number: 1 },
      { bus: 'scsi', number: 0 },
    ]);
    expect(vm.drives.map(({ bus, controller, slot }) => [bus, controller, slot])).toEqual([
      ['ide', 0, 0],
      ['ide', 0, 1],
    ]);
    expect(vm.firmware).toEqual({ kind: 'bios', bootOrder: ['hard-disk', 'cd', 'network', 'floppy'] });
    // A differencing VHD cannot be resized: its parent is a copy that has the size.
    expect(resizedBase?.path).toBe(`C:\\OpenStack\\Instances\\_base\\${make.IMAGE_ID}_1.vhd`);
    expect(files[0]).toEqual({
      kind: 'difference',
      path: 'C:\\OpenStack\\Instances\\instance-00000001\\root.vhd',
      parent: resizedBase?.path,
      format: 'vhd',
    });
    expect(files[1]).toEqual({
      kind: 'empty',
      path: 'C:\\OpenStack\\Instances\\instance-00000001\\eph0.vhdx',
      sizeBytes: 2 * GIB,
    });
  });

  it('boots an ISO image from its DVD drive first', () => {
    const iso: PlanInput['base'] = { kind: 'iso', path: 'C:\\OpenStack\\Instances\\_base\\x.iso' };
    const { vm, files } = plan(
      make.planInput({ image: make.image({ diskFormat: 'iso', ...gen1 }), base: iso }),
    );
    expect(vm.drives[0]).toMatchObject({
      kind: 'dvd',
      bus: 'ide',
      path: 'C:\\OpenStack\\Instances\\instance-00000001\\root.iso',
    });
    expect(vm.firmware.bootOrder[0]).toBe('cd');
    expect(files).toEqual([
      { kind: 'copy', path: 'C:\\OpenStack\\Instances\\instance-00000001\\root.iso', source: iso.path },
    ]);
  });
});

describe('the root size', () => {
  it('is the image’s own when the flavor says 0', () => {
    expect(plan(withRoot(0)).files[0]).not.toHaveProperty('sizeBytes');
  });

  it('refuses an image that does not fit, with the numbers', () => {
    const error = refusal(() => plan(withRoot(1, { base: make.base({ virtualSize: 2 * GIB }) })));
    expect(error.novaName).toBe('FlavorDiskSmallerThanImage');
    expect(error.message).toContain(String(2 * GIB));
    expect(error.message).toContain(String(GIB));
  });

  it('is a full copy without copy-on-write', () => {
    const config = { ...DEFAULT_CONFIG, useCowImages: false };
    expect(plan(withRoot(1, { config })).files[0]).toMatchObject({
      kind: 'copy',
      sizeBytes: rootVirtualSize(1, make.diskInfo()),
    });
    expect(
      plan(withRoot(1, { config, image: make.image(gen1), base: make.vhdBase() })).resizedBase,
    ).toBeUndefined();
  });

  it('never buys a file larger than the flavor’s disk', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4096 }),
        fc.constantFrom(1, 2, 32, 256),
        (gigabytes, blockMib) => {
          const info = { ...make.diskInfo(), blockSize: blockMib * MIB };
          const size = rootVirtualSize(gigabytes, info);
          const blocks = size / info.blockSize;
          const chunk = (2 ** 23 * 512) / info.blockSize;
          const file = 3 * MIB + size + 8 * (blocks + Math.ceil(blocks / chunk));
          expect(Number.isInteger(blocks)).toBe(true);
          expect(file).toBeLessThanOrEqual(gigabytes * GIB + 8);
        },
      ),
    );
  });
});

describe('serial ports', () => {
  it.each([
    [{}, ['rw', null]],
    [{ logging_serial_port: '2' }, ['rw', 'ro']],
    [{ interactive_serial_port: '2' }, ['ro', 'rw']],
    [{ interactive_serial_port: '2', logging_serial_port: '2' }, [null, 'rw']],
  ])('%j → %j', (properties, expected) => {
    expect(pipes(properties as Record<string, string>)).toEqual(expected);
  });
});

describe('refusals that need only metadata', () => {
  it.each([
    [
      'unknown machine type',
      withImage({ hw_machine_type: 'pc' }),
      'InstanceUnacceptable',
      /hyperv-gen1, hyperv-gen2/,
    ],
    [
      'machine type in another case',
      withImage({ hw_machine_type: 'Hyperv-Gen2' }),
      'InstanceUnacceptable',
      /hyperv-gen2/,
    ],
    [
      'machine type that is a property of objects',
      withImage({ hw_machine_type: 'constructor' }),
      'InstanceUnacceptable',
      /hyperv-gen2/,
    ],
    ['generation 2 on 6.2', onHost(6, 2), 'InstanceUnacceptable', /6\.3/],
    ['a host before 6.2', onHost(6, 1), 'HypervisorTooOld', /6\.2/],
    [
      'qcow2',
      make.earlyInput({ image: make.image({ diskFormat: 'qcow2' }) }),
      'InvalidImageFormat',
      /qemu-img/,
    ],
    [
      'an OVA',
      make.earlyInput({ image: make.image({ containerFormat: 'ova' }) }),
      'InvalidImageFormat',
      /bare/,
    ],
    ['RemoteFX', withExtraSpecs({ 'os:resolution': '1024x768' }), 'InstanceUnacceptable', /RemoteFX/],
    [
      'accelerators',
      withExtraSpecs({ 'accel:device_profile': 'gpu' }),
      'InstanceUnacceptable',
      /accelerators/,
    ],
    ['memory encryption', withImage({ hw_mem_encryption: 'true' }), 'InstanceUnacceptable', /encryption/],
    [
      'PCI devices by another key',
      withExtraSpecs({ 'pci_passthrough:id': '1' }),
      'InstanceUnacceptable',
      /PCI/,
    ],
    [
      'disk limits for reading',
      withExtraSpecs({ 'quota:disk_read_iops_sec': '100' }),
      'InstanceUnacceptable',
      /disk_total/,
    ],
    ['bounds of memory', withExtraSpecs({ 'quota:memory_limit': '100' }), 'InstanceUnacceptable', /memory/],
    ['swap', withFlavor({ swapMb: 512 }), 'InstanceUnacceptable', /swap/],
    [
      'a serial port 3',
      withImage({ logging_serial_port: '3' }),
      'ImageSerialPortNumberInvalid',
      /logging_serial_port=3/,
    ],
    [
      'a serial port that is no number',
      withImage({ interactive_serial_port: 'x' }),
      'ImageSerialPortNumberInvalid',
      /=x/,
    ],
    ['too many processors for the host', withFlavor({ vcpus: 9 }), 'InstanceUnacceptable', /8 logical/],
    [
      'too many processors for the generation',
      withFlavor({ vcpus: 65, memoryMb: 512 }),
      'InstanceUnacceptable',
      /vCPUs/,
    ],
    ['too little memory', withFlavor({ memoryMb: 16 }), 'InstanceUnacceptable', /32 to/],
    ['odd memory', withFlavor({ memoryMb: 513 }), 'InstanceUnacceptable', /2 MB/],
    [
      'a failed binding',
      make.earlyInput({ vifs: [make.vif(1, { vifType: 'binding_failed' })] }),
      'PortBindingFailed',
      /Neutron/,
    ],
    [
      'a binding of another kind',
      make.earlyInput({ vifs: [make.vif(1, { vifType: 'ovs' })] }),
      'VirtualInterfacePlugException',
      /ovs/,
    ],
    [
      'no external switch',
      make.earlyInput({ host: make.hostFacts({ switches: [] }) }),
      'VirtualInterfacePlugException',
      /vswitch_name/,
    ],
    [
      'a configured switch that is not there',
      make.earlyInput({ config: { ...DEFAULT_CONFIG, vswitchName: 'br100' } }),
      'VirtualInterfacePlugException',
      /br100/,
    ],
    [
      'a name that is a path',
      make.earlyInput({ instance: make.instance({ name: '..\\evil' }) }),
      'InstanceUnacceptable',
      /instance_name_template/,
    ],
    [
      'a name that is the cache',
      make.earlyInput({ instance: make.instance({ name: '_base' }) }),
      'InstanceUnacceptable',
      /name/,
    ],
  ])('%s', (_what, input, name, message) => {
    const error = refusal(() => planEarly(input));
    expect([error.novaName, error.message]).toEqual([name, expect.stringMatching(message)]);
  });

  it('lets pass what asks for nothing', () => {
    const properties = {
      hw_machine_type: 'hyperv-gen2',
      os_secure_boot: 'optional',
      os_vtpm: 'disabled',
      hw_cpu_features: 'sse2',
      hw_disk_bus: 'virtio',
    };
    const extraSpecs = {
      'os:secure_boot': 'disabled',
      'quota:disk_total_iops_sec': '0',
      'trait:X': 'required',
    };
    const input = make.earlyInput({
      image: make.image({ properties }),
      instance: make.instance({ flavor: make.flavor({ extraSpecs }) }),
    });
    expect(planEarly(input).generation).toBe(2);
  });

  it('needs no switch without ports', () => {
    expect(planEarly(make.earlyInput({ vifs: [], host: make.hostFacts({ switches: [] }) })).vm.nics).toEqual(
      [],
    );
  });
});

describe('refusals that need the file', () => {
  it.each([
    [
      'a VHD for generation 2',
      make.planInput({ base: make.vhdBase() }),
      'InstanceUnacceptable',
      /VHDX only.*Convert/s,
    ],
    [
      'a differencing disk',
      make.planInput({ base: make.base({ type: 'differencing' }) }),
      'ImageUnacceptable',
      /parent/,
    ],
    [
      'a root larger than a VHD can be',
      withRoot(2048, { image: make.image(gen1), base: make.vhdBase() }),
      'CannotResizeDisk',
      /2040 GiB.*VHDX/s,
    ],
    [
      'an ephemeral larger than a VHDX can be',
      make.planInput({ instance: make.instance({ flavor: make.flavor({ ephemeralGb: 70_000 }) }) }),
      'CannotResizeDisk',
      /ephemeral disk.*65536 GiB/s,
    ],
    [
      'an ISO that says vhdx',
      make.planInput({ base: { kind: 'iso', path: 'C:\\x.iso' } }),
      'ImageUnacceptable',
      /ISO/,
    ],
    [
      'a VHDX that says iso',
      make.planInput({ image: make.image({ diskFormat: 'iso' }) }),
      'ImageUnacceptable',
      /VHDX/,
    ],
  ])('%s', (_what, input, name, message) => {
    const error = refusal(() => plan(input));
    expect([error.novaName, error.message]).toEqual([name, expect.stringMatching(message)]);
  });

  it('takes a VHDX that was uploaded as vhd', () => {
    expect(plan(make.planInput({ image: make.image({ diskFormat: 'vhd' }) })).vm.drives[0]?.path).toMatch(
      /root\.vhdx$/,
    );
  });
});

describe('dynamic memory', () => {
  it('starts with an even share and may grow to the flavor’s', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 16, max: 65_536 }),
        fc.float({ min: 1, max: 8, noNaN: true }),
        (half, ratio) => {
          const input = make.earlyInput({
            instance: make.instance({ flavor: make.flavor({ memoryMb: 2 * half }) }),
            config: { ...DEFAULT_CONFIG, dynamicMemoryRatio: ratio },
          });
          const { memory } = planEarly(input).vm;
          expect(memory.maximumMb).toBe(2 * half);
          expect(memory.startupMb).toBeGreaterThanOrEqual(32);
          expect(memory.startupMb).toBeLessThanOrEqual(memory.maximumMb);
          expect(memory.startupMb % 2).toBe(0);
          expect(memory.minimumMb).toBe(memory.startupMb);
          expect(memory.dynamic).toBe(ratio > 1);
        },
      ),
    );
  });
});
