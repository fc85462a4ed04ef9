import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_CONFIG } from '../config.js';
import { DriverError } from '../errors.js';
import * as make from '../test-support/fixtures.js';
import { explainPlan } from './explain.js';
import type { PlanInput } from './input.js';
import { plan } from './plan.js';

const names = (explanation: ReturnType<typeof explainPlan>) =>
  explanation.refusals.map(({ rule }) => rule).toSorted();

describe('explainPlan', () => {
  it('gives the very machine of the plan', () => {
    const input = make.planInput({ vifs: [make.vif(1), make.vif(2)] });
    expect(explainPlan(input)).toEqual({ spec: plan(input).vm, refusals: [], unchecked: [] });
  });

  it('tells all that is wrong at once, each thing once and with its source', () => {
    const found = explainPlan(
      make.planInput({
        instance: make.instance({
          name: 'a/b',
          flavor: make.flavor({
            vcpus: 65,
            memoryMb: 31,
            rootGb: 1,
            swapMb: 64,
            extraSpecs: {
              'quota:disk_total_iops_sec': 'many',
              'quota:disk_total_bytes_sec': 'more',
              'hw:cpu_features': 'vmx',
              'hw:numa_nodes': '2',
              'hw:mem_page_size': 'large',
              'accel:device_profile': 'x',
            },
          }),
        }),
        image: make.image({
          minRamMb: 64,
          minDiskGb: 2,
          containerFormat: 'ovf',
          properties: {
            logging_serial_port: '3',
            interactive_serial_port: '0',
            hypervisor_type: 'kvm',
            hypervisor_version_requires: '>=10.0',
          },
        }),
        vifs: [make.vif(1, { vifType: 'ovs' }), make.vif(2, { vifType: 'binding_failed' })],
        host: make.hostFacts({ windowsVersion: { major: 6, minor: 3, build: 9600 } }),
        base: make.vhdBase({ type: 'differencing', virtualSize: 2 * 1024 ** 3 }),
      }),
    );
    expect(found.spec).toBeNull();
    expect(names(found)).toEqual([
      'NUMA topology',
      'disk limits',
      'disk limits',
      'disks',
      'disks',
      'hypervisor type',
      'hypervisor version',
      'image format',
      'instance name',
      'memory',
      'minimum disk',
      'minimum memory',
      'nested virtualization',
      'network',
      'network',
      'processors of a machine',
      'processors of the host',
      'requests that are not served',
      'requests that are not served',
      'requests that are not served',
      'serial ports',
      'serial ports',
    ]);
    expect(new Set(found.refusals.map(({ message }) => message)).size).toBe(found.refusals.length);
    for (const { source, message } of found.refusals) {
      expect(source).not.toBe('this driver');
      expect(message.length).toBeGreaterThan(20);
    }
  });

  it('says what it could not look at, and assumes what the metadata say', () => {
    const { spec, unchecked } = explainPlan(make.earlyInput({ image: make.image({ diskFormat: 'vhd' }) }));
    expect(unchecked).toEqual([expect.stringContaining("image's file")]);
    expect(spec?.drives[0]?.path).toMatch(/root\.vhdx$/);
    const old = explainPlan(make.earlyInput({ image: make.image({ diskFormat: 'vhd', properties: {} }) }));
    expect(old.spec?.drives[0]).toMatchObject({ bus: 'ide', path: expect.stringMatching(/root\.vhd$/) });
    const iso = explainPlan(make.earlyInput({ image: make.image({ diskFormat: 'iso', properties: {} }) }));
    expect(iso.spec?.firmware).toMatchObject({ bootOrder: ['cd', 'hard-disk', 'network', 'floppy'] });
  });

  it('knows no generation where the image names none that there is', () => {
    const found = explainPlan(
      make.earlyInput({ image: make.image({ properties: { hw_machine_type: 'q35' } }) }),
    );
    expect(names(found)).toEqual(['machine type']);
    expect(found.unchecked).toHaveLength(2);
  });

  it.each([
    [
      'a parent and generation 2 on a VHD',
      { base: make.vhdBase({ type: 'differencing' }) },
      ['disks', 'disks'],
    ],
    [
      'an ISO that says vhdx',
      { base: { kind: 'iso', path: 'C:\\x.iso' } as const },
      ['content of the image'],
    ],
    [
      'disks that do not fit on IDE, and a root that is too small',
      {
        image: make.image({ properties: {} }),
        base: make.vhdBase({ virtualSize: 2 * 1024 ** 3 }),
        instance: make.instance({ ephemeralsGb: [1, 1, 1, 1] }),
      },
      ['disks', 'disks'],
    ],
    [
      'a host that is too old',
      { host: make.hostFacts({ windowsVersion: { major: 6, minor: 1, build: 7600 } }) },
      ['machine type', 'oldest host'],
    ],
  ] as const)('%s', (_what, changes, expected) => {
    expect(names(explainPlan(make.planInput(changes)))).toEqual(expected);
  });

  it.each([
    ['>=6.3', true],
    ['>=10.0', true],
    ['>= 6.2, <10.0', false],
    ['<11,!=10.1', true],
    ['10.0', false],
  ])('the scheduler finds the host for hypervisor_version_requires %j: %s', (value, fits) => {
    const image = make.image({ properties: { hypervisor_version_requires: value } });
    expect(names(explainPlan(make.planInput({ image, base: make.base() }))).length === 0).toBe(fits);
  });
});

const some = (values: Readonly<Record<string, readonly string[]>>): fc.Arbitrary<Record<string, string>> =>
  fc
    .record(
      Object.fromEntries(
        Object.entries(values).map(([key, list]) => [
          key,
          fc.oneof({ arbitrary: fc.constant(null), weight: 9 }, fc.constantFrom(...list)),
        ]),
      ),
    )
    .map((found) =>
      Object.fromEntries(
        Object.entries(found).flatMap(([key, value]) => (value === null ? [] : [[key, value]])),
      ),
    );

const properties = some({
  hw_machine_type: ['hyperv-gen1', 'hyperv-gen2', 'hyperv-gen2', 'q35'],
  os_secure_boot: ['required', 'optional', 'disabled'],
  os_type: ['windows', 'linux'],
  os_vtpm: ['required', 'no'],
  img_pdk_reference: ['http://keys/1'],
  logging_serial_port: ['1', '2', '3'],
  interactive_serial_port: ['1', '2', 'x'],
  hw_cpu_features: ['vmx', ''],
  hw_numa_nodes: ['2', '3'],
});
const extraSpecs = some({
  'os:secure_boot': ['required', 'disabled'],
  'os:resolution': ['1024x768', '1x1'],
  'os:monitors': ['1', '9'],
  'hw:numa_nodes': ['2'],
  'hw:numa_cpus.0': ['0'],
  'quota:cpu_limit': ['1000', 'x'],
  'quota:cpu_quota': ['5000', '-1'],
  'quota:cpu_reservation': ['100', '9000'],
  'quota:cpu_shares_level': ['high', 'custom', 'x'],
  'quota:cpu_shares_share': ['10', '0'],
  'quota:disk_total_iops_sec': ['5', '-5'],
  'quota:disk_read_iops_sec': ['0', '1'],
  'pci_passthrough:alias': ['gpu:1'],
});
/** The first as a rule, so that not every input has something wrong. */
const mostly = <T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof({ arbitrary: fc.constant(usual), weight: 9 }, fc.constantFrom(...others));

const inputs = fc
  .record({
    properties,
    extraSpecs,
    vcpus: mostly(2, 1, 4, 9, 65),
    memoryMb: mostly(512, 1024, 31, 33),
    rootGb: mostly(5, 0, 1),
    ephemeralGb: mostly(0, 1, 70_000),
    version: mostly([10, 0, 14393], [10, 0, 20348], [6, 3, 9600], [6, 1, 7600]),
    clustered: fc.boolean(),
    base: mostly<PlanInput['base']>(
      make.base(),
      make.vhdBase(),
      make.base({ type: 'differencing' }),
      make.vhdBase({ virtualSize: 3 * 1024 ** 3 }),
      { kind: 'iso', path: 'C:\\x.iso' },
    ),
    diskFormat: mostly('vhdx', 'vhd', 'iso', 'raw'),
    vifType: mostly('hyperv', 'ovs'),
    enableRemoteFx: fc.boolean(),
  })
  .map(({ version: [major = 0, minor = 0, build = 0], vifType, base, diskFormat, clustered, ...rest }) => {
    const { properties: asked, enableRemoteFx, ...flavor } = rest;
    return make.planInput({
      image: make.image({ diskFormat, properties: asked }),
      instance: make.instance({ flavor: make.flavor(flavor) }),
      vifs: [make.vif(1, { vifType })],
      host: make.hostFacts({
        windowsVersion: { major, minor, build },
        clustered,
        guarded: major >= 10,
        remoteFx: { hasRole: true, gpuCapable: true, slatCapable: true },
      }),
      config: { ...DEFAULT_CONFIG, enableRemoteFx },
      base,
    });
  });

it('accepts what the plan accepts, refuses what it refuses, and tells its reason among the others with a source', () => {
  let refused = 0;
  fc.assert(
    fc.property(inputs, (input) => {
      const told = explainPlan(input);
      try {
        expect(told.spec).toEqual(plan(input).vm);
      } catch (error) {
        if (!(error instanceof DriverError)) throw error;
        refused += 1;
        expect(told.spec).toBeNull();
        expect(told.refusals.map(({ message }) => message)).toContain(error.message);
      }
      for (const { source, message } of told.refusals) expect(source, message).not.toBe('this driver');
    }),
    { numRuns: 1500 },
  );
  expect(refused).toBeGreaterThan(100);
  expect(refused).toBeLessThan(1500);
});
