import { describe, expect, it } from 'vitest';
import { DEFAULT_CONFIG } from '../config.js';
import * as make from '../test-support/fixtures.js';
import { explainPlan } from './explain.js';
import type { VmSpec } from './vm-spec.js';

/** Windows' own versions. */
const RELEASES = {
  '2012R2': { major: 6, minor: 3, build: 9600 },
  '2016': { major: 10, minor: 0, build: 14393 },
  '2019': { major: 10, minor: 0, build: 17763 },
  '2022': { major: 10, minor: 0, build: 20348 },
  '2025': { major: 10, minor: 0, build: 26100 },
} as const;
/** On hosts of before it was removed. */
const WITH_REMOTEFX: readonly Release[] = ['2012R2', '2016', '2019'];
type Release = keyof typeof RELEASES;
const ALL: readonly Release[] = ['2012R2', '2016', '2019', '2022', '2025'];
const TEN = ALL.filter((release) => release !== '2012R2');

type Effect = (spec: VmSpec) => unknown;
const generation: Effect = (spec) => spec.generation;
const secureBoot: Effect = (spec) => spec.security.secureBoot;
const nested: Effect = (spec) => spec.processors.nestedVirtualization;
const nodes: Effect = (spec) =>
  spec.processors.numa && spec.processors.count / spec.processors.numa.processorsPerNode;
const iops: Effect = (spec) => spec.drives[0]?.iopsLimit;
const pipes: Effect = (spec) => spec.serialPorts.map(({ pipe }) => pipe?.slice(-2) ?? '-').join(' ');
const root: Effect = (spec) => `${spec.drives[0]?.kind} ${spec.drives[0]?.path.split('.').pop()}`;
const video: Effect = ({ video: adapter }) =>
  adapter.kind === 'remotefx'
    ? `remotefx ${adapter.resolution}, ${adapter.monitors}, ${adapter.vramMb}`
    : adapter.kind;
const processor =
  (name: 'limit' | 'reservation' | 'weight'): Effect =>
  (spec) =>
    spec.processors[name];

/** Name=value of one property or extra spec (several after blanks), with what a machine gets for it or the exception. */
type Row = readonly [
  asked: string,
  outcome: string | number | boolean | null,
  effect?: Effect,
  releases?: readonly Release[],
];

const GEN2 = 'hw_machine_type=hyperv-gen2';
const SECURE = `${GEN2} os_secure_boot=required os_type=windows img_pdk_reference=http://keys/1`;

/** On a flavor of 4 vCPUs, 4096 MB and 10 GB. Releases that are not named refuse with InstanceUnacceptable. */
const IMAGE: readonly Row[] = [
  ['hw_machine_type=hyperv-gen1', 1, generation],
  ['hw_machine_type=hyperv-gen2', 2, generation],
  ['other=x', 1, generation],
  ['hw_machine_type=Hyperv-Gen2', 'InstanceUnacceptable'],
  ['hw_machine_type=q35', 'InstanceUnacceptable'],
  ['interactive_serial_port=1', 'rw -', pipes],
  ['interactive_serial_port=2', 'ro rw', pipes],
  ['logging_serial_port=1', 'rw -', pipes],
  ['logging_serial_port=2', 'rw ro', pipes],
  ['logging_serial_port=2 interactive_serial_port=2', '- rw', pipes],
  ['interactive_serial_port=0', 'ImageSerialPortNumberInvalid'],
  ['interactive_serial_port=COM1', 'ImageSerialPortNumberInvalid'],
  ['logging_serial_port=3', 'ImageSerialPortNumberInvalid'],
  ['hw_cpu_features=vmx', true, nested, TEN],
  ['hw_cpu_features=sse2,VMX', true, nested, TEN],
  ['hw_cpu_features=sse2', false, nested],
  ['hw_numa_nodes=2', 2, nodes],
  ['hw_numa_nodes=1', 1, nodes],
  ['hw_numa_nodes=2 hw_numa_cpus.0=0,1 hw_numa_cpus.1=2-3 hw_numa_mem.0=2048 hw_numa_mem.1=2048', 2, nodes],
  ['hw_numa_nodes=3', 'ImageNUMATopologyAsymmetric'],
  ['hw_numa_nodes=0', 'InvalidNUMANodesNumber'],
  ['hw_numa_nodes=two', 'InvalidNUMANodesNumber'],
  ['hw_numa_cpus.0=0', 'InstanceUnacceptable'],
  ['hw_numa_nodes=2 hw_numa_cpus.0=0,1', 'ImageNUMATopologyIncomplete'],
  [
    'hw_numa_nodes=2 hw_numa_cpus.0=0 hw_numa_cpus.1=1-3 hw_numa_mem.0=1024 hw_numa_mem.1=3072',
    'InstanceUnacceptable',
  ],
  ['hypervisor_type=hyperv', 1, generation],
  ['hypervisor_type=HyperV', 1, generation],
  ['hypervisor_type=kvm', 'NoValidHost'],
  ['hypervisor_version_requires=>=6.3', 1, generation],
  ['hypervisor_version_requires=>=11', 'NoValidHost'],
  ['hypervisor_version_requires=newest', 'NoValidHost'],
  ['os_secure_boot=disabled', false, secureBoot],
  ['os_secure_boot=optional', false, secureBoot],
  ['os_secure_boot=optional os_type=linux', false, secureBoot],
  [`${GEN2} os_secure_boot=required os_type=windows`, 'MicrosoftWindows', secureBoot],
  [`${GEN2} os_secure_boot=required os_type=linux`, 'MicrosoftUEFICertificateAuthority', secureBoot, TEN],
  [`${GEN2} os_secure_boot=required`, 'InstanceUnacceptable'],
  [`${GEN2} os_secure_boot=required os_type=freebsd`, 'InstanceUnacceptable'],
  [`${GEN2} os_secure_boot=Required os_type=windows`, 'InstanceUnacceptable'],
  ['os_secure_boot=required os_type=windows', 'InstanceUnacceptable'],
  ['os_type=windows', 1, generation],
  ['os_type=linux', 1, generation],
  ['os_vtpm=disabled', 1, generation],
  ['os_vtpm=required', 'InstanceUnacceptable'],
  [`${SECURE} os_vtpm=required`, true, (spec) => spec.security.vtpm, TEN],
  [`${GEN2} os_vtpm=required img_pdk_reference=http://keys/1`, 'InstanceUnacceptable'],
  [`${GEN2} os_secure_boot=required os_type=windows os_vtpm=required`, 'InstanceUnacceptable'],
  ['os_shielded_vm=disabled', 1, generation],
  ['os_shielded_vm=required', 'InstanceUnacceptable'],
  [`${SECURE} os_shielded_vm=required`, true, (spec) => spec.security.shielded && spec.security.vtpm, TEN],
  ['hw_disk_bus=virtio', 1, generation],
];

const DISK_FORMATS: readonly Row[] = [
  ['vhd', 'disk vhd', root],
  ['vhdx', 'disk vhdx', root],
  ['iso', 'dvd iso', root],
  ['raw', 'InvalidImageFormat'],
  ['qcow2', 'InvalidImageFormat'],
  ['vmdk', 'InvalidImageFormat'],
];

const FLAVOR: readonly Row[] = [
  ['os:secure_boot=disabled', false, secureBoot],
  ['os:secure_boot=optional', false, secureBoot],
  ['os:secure_boot=required', 'InstanceUnacceptable'],
  ['os:resolution=', 'synthetic', video],
  ['os:resolution=1024x768', 'remotefx 0, 1, null', video, WITH_REMOTEFX],
  ['os:resolution=1024x768 os:monitors=4', 'remotefx 0, 4, null', video, WITH_REMOTEFX],
  ['os:resolution=1024x768 os:monitors=8', 'remotefx 0, 8, null', video, ['2016', '2019']],
  ['os:resolution=3840x2160', 'remotefx 5, 1, null', video, ['2016', '2019']],
  ['os:resolution=1600x1200 os:monitors=4 os:vram=256', 'remotefx 2, 4, 256', video, ['2016', '2019']],
  ['os:resolution=640x480', 'InstanceUnacceptable'],
  ['os:resolution=1024x768 os:monitors=9', 'InstanceUnacceptable'],
  ['os:resolution=1024x768 os:monitors=0', 'InstanceUnacceptable'],
  ['os:resolution=1024x768 os:vram=100', 'InstanceUnacceptable'],
  ['os:monitors=2', 'InstanceUnacceptable'],
  ['os:vram=256', 'InstanceUnacceptable'],
  ['hw:cpu_features=vmx', true, nested, TEN],
  ['hw:cpu_features= vmx , sse2', true, nested, TEN],
  ['hw:cpu_features=', false, nested],
  ['hw:numa_nodes=2', 2, nodes],
  ['hw:numa_nodes=4', 4, nodes],
  ['hw:numa_nodes=2 hw:numa_cpus.0=0,1 hw:numa_cpus.1=2,3 hw:numa_mem.0=2048 hw:numa_mem.1=2048', 2, nodes],
  ['hw:numa_nodes=3', 'ImageNUMATopologyAsymmetric'],
  ['hw:numa_nodes=-1', 'InvalidNUMANodesNumber'],
  ['hw:numa_mem.0=2048', 'InstanceUnacceptable'],
  [
    'hw:numa_nodes=2 hw:numa_cpus.0=0,1 hw:numa_cpus.1=2,4 hw:numa_mem.0=2048 hw:numa_mem.1=2048',
    'ImageNUMATopologyCPUOutOfRange',
  ],
  [
    'hw:numa_nodes=2 hw:numa_cpus.0=0,1 hw:numa_cpus.1=1,2 hw:numa_mem.0=2048 hw:numa_mem.1=2048',
    'ImageNUMATopologyCPUDuplicates',
  ],
  [
    'hw:numa_nodes=2 hw:numa_cpus.0=0 hw:numa_cpus.1=1 hw:numa_mem.0=2048 hw:numa_mem.1=2048',
    'ImageNUMATopologyCPUsUnassigned',
  ],
  [
    'hw:numa_nodes=2 hw:numa_cpus.0=0,1 hw:numa_cpus.1=2,3 hw:numa_mem.0=2048 hw:numa_mem.1=1024',
    'ImageNUMATopologyMemoryOutOfRange',
  ],
  ['quota:disk_total_iops_sec=0', 0, iops],
  ['quota:disk_total_iops_sec=500', 500, iops],
  ['quota:disk_total_iops_sec=1000000001', 'InstanceUnacceptable'],
  ['quota:disk_total_iops_sec=many', 'InstanceUnacceptable'],
  ['quota:disk_total_bytes_sec=81920', 10, iops],
  ['quota:disk_total_bytes_sec=1', 1, iops],
  ['quota:disk_total_bytes_sec=-1', 'InstanceUnacceptable'],
  ['quota:disk_total_iops_sec=7 quota:disk_total_bytes_sec=81920', 7, iops],
  ['quota:disk_read_iops_sec=0', 0, iops],
  ['quota:disk_read_iops_sec=100', 'InstanceUnacceptable'],
  ['quota:cpu_limit=4000', 50_000, processor('limit')],
  ['quota:cpu_limit=fast', 'InstanceUnacceptable'],
  ['quota:cpu_quota=25000 quota:cpu_period=100000', 25_000, processor('limit')],
  ['quota:cpu_quota=-1', 100_000, processor('limit')],
  ['quota:cpu_limit=4000 quota:cpu_quota=25000', 'InstanceUnacceptable'],
  ['quota:cpu_reservation=2000', 25_000, processor('reservation')],
  ['quota:cpu_reservation=9000', 'InstanceUnacceptable'],
  ['quota:cpu_shares_level=high', 200, processor('weight')],
  ['quota:cpu_shares_level=custom quota:cpu_shares_share=300', 300, processor('weight')],
  ['quota:cpu_shares_level=highest', 'InstanceUnacceptable'],
  ['quota:cpu_shares_level=custom quota:cpu_shares_share=10001', 'InstanceUnacceptable'],
  ['quota:cpu_shares=2048', 200, processor('weight')],
  ['quota:memory_limit=0', 1, generation],
  ['quota:memory_limit=100', 'InstanceUnacceptable'],
  ['pci_passthrough:alias=gpu:1', 'PciDeviceRequestFailed'],
  ['pci_passthrough:other=gpu:1', 'InstanceUnacceptable'],
  ['hw:cpu_policy=shared', 1, generation],
  ['hw:cpu_policy=dedicated', 'InstanceUnacceptable'],
  ['hw:mem_page_size=large', 'InstanceUnacceptable'],
  ['accel:device_profile=x', 'InstanceUnacceptable'],
  ['aggregate_instance_extra_specs:ssd=true', 1, generation],
];

/** Blanks part assignments only where a name follows. */
function assignments(text: string): Record<string, string> {
  const parts = text.split(/ (?=[\w:.]+=)/);
  return Object.fromEntries(
    parts.map((part) => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)]),
  );
}

const FLAVOR_SIZE = { vcpus: 4, memoryMb: 4096, rootGb: 10 };

function outcomeOf(
  release: Release,
  asked: Parameters<typeof make.image>[0],
  extraSpecs: Record<string, string>,
) {
  return explainPlan(
    make.earlyInput({
      image: make.image({ diskFormat: 'vhd', properties: {}, ...asked }),
      instance: make.instance({ flavor: make.flavor({ ...FLAVOR_SIZE, extraSpecs }) }),
      host: make.hostFacts({
        windowsVersion: RELEASES[release],
        guarded: release !== '2012R2',
        remoteFx: { hasRole: true, gpuCapable: true, slatCapable: true },
      }),
      config: { ...DEFAULT_CONFIG, enableRemoteFx: true },
    }),
  );
}

const named = (rows: readonly Row[]) => rows.map((row) => [row[0], String(row[1]), row] as const);

describe.each(ALL)('Windows Server %s', (release) => {
  const check = ([, outcome, effect, releases = ALL]: Row, found: ReturnType<typeof outcomeOf>): void => {
    if (effect !== undefined && releases.includes(release)) {
      expect(found.refusals).toEqual([]);
      expect(found.spec === null ? undefined : effect(found.spec)).toBe(outcome);
    } else {
      const expected = effect === undefined ? outcome : 'InstanceUnacceptable';
      expect(found.refusals.map(({ exception }) => exception)).toEqual([expected]);
      expect(found.refusals[0]?.source).not.toBe('this driver');
    }
  };
  it.each(named(IMAGE))('image property %s: %s', (asked, _outcome, row) => {
    check(row, outcomeOf(release, { properties: assignments(asked) }, {}));
  });
  it.each(named(DISK_FORMATS))('disk_format %s: %s', (diskFormat, _outcome, row) => {
    check(row, outcomeOf(release, { diskFormat }, {}));
  });
  it.each(named(FLAVOR))('extra spec %s: %s', (asked, _outcome, row) => {
    check(row, outcomeOf(release, {}, assignments(asked)));
  });
});
