import { describe, expect, it } from 'vitest';
import * as make from '../test-support/fixtures.js';
import { explainPlan } from './explain.js';
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
