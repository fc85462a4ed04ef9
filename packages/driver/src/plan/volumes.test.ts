import { describe, expect, it } from 'vitest';
import { earlyInput, hostFacts, image, planInput, vif } from '../test-support/fixtures.js';
import type { VolumeDevice } from '../volume-types.js';
import { explainPlan } from './explain.js';
import type { PlanVolume } from './input.js';
import { plan } from './plan.js';
import { busOf, ignoredQos } from './volumes.js';

function device(number: number, changes: Partial<VolumeDevice> = {}, qos?: object): VolumeDevice {
  return {
    volumeId: `volume-${number}`,
    connectionInfo: { driverVolumeType: 'iscsi', data: qos === undefined ? {} : { qos_specs: qos } },
    bootIndex: null,
    diskBus: null,
    deviceType: null,
    tag: null,
    ...changes,
  };
}
const block = (number: number, changes: Partial<VolumeDevice> = {}): PlanVolume => ({
  device: device(number, changes),
});
const file = (number: number, qos: object): PlanVolume => ({
  device: device(number, {}, qos),
  path: `\\\\filer\\vols\\${number}.vhdx`,
});
const drives = (volumes: readonly PlanVolume[]) =>
  plan(planInput({ volumes })).vm.drives.map(({ slot, path, volumeId }) => [slot, volumeId ?? path]);

describe('volumes of a plan', () => {
  it('are disks of the host by the name of the volume, or files by their path, after the local disks', () => {
    const found = drives([block(1), file(2, {})]);
    expect(found.slice(1)).toEqual([
      [1, 'volume-1'],
      [2, '\\\\filer\\vols\\2.vhdx'],
    ]);
  });

  it('make the root when one of them has boot index 0: the image needs no format then', () => {
    const empty = image({ id: '', diskFormat: '', containerFormat: '' });
    const input = planInput({
      image: empty,
      base: { kind: 'volume' },
      volumes: [block(1, { bootIndex: 1 }), block(2, { bootIndex: 0 }), block(3, { bootIndex: -1 })],
    });
    const { vm, files } = plan(input);
    expect(files).toEqual([]);
    expect(vm.drives.map(({ slot, volumeId }) => [slot, volumeId])).toEqual([
      [0, 'volume-2'],
      [1, 'volume-1'],
      [2, 'volume-3'],
    ]);
    expect(vm.firmware.bootOrder).toEqual(['scsi:0:0', 'scsi:0:1', `nic:${vif().portId}`]);
    const { base: _base, ...early } = input;
    expect(explainPlan(early)).toMatchObject({ refusals: [], unchecked: [] });
  });

  it('are refused by name, with all reasons', () => {
    const volumes = [block(1, { diskBus: 'virtio' }), block(2, { deviceType: 'lun' })];
    const { refusals } = explainPlan(earlyInput({ volumes }));
    expect(refusals.map(({ exception, rule }) => [exception, rule])).toEqual([
      ['InvalidDiskInfo', 'volumes'],
      ['InvalidDiskInfo', 'volumes'],
    ]);
  });
});

describe('the bus of a volume', () => {
  it.each<[string | null, number | null, 1 | 2, string]>([
    [null, null, 2, 'scsi'],
    ['', 0, 2, 'scsi'],
    ['SCSI', null, 2, 'scsi'],
    ['scsi', null, 1, 'scsi'],
    ['IDE', null, 1, 'ide'],
    [null, 0, 1, 'ide'],
    [null, null, 1, 'scsi'],
  ])('asked for as %s, boot index %s, is on generation %i %s', (diskBus, bootIndex, generation, bus) => {
    expect(busOf(device(1, { diskBus, bootIndex }), generation)).toBe(bus);
  });
});

describe('QoS specs', () => {
  it.each<[object, number]>([
    [{ total_iops_sec: 100, total_bytes_sec: 1 }, 100],
    [{ total_bytes_sec: '16385' }, 2],
    [{ total_bytes_sec: '1' }, 1],
    [{ total_iops_sec: '0' }, 0],
  ])('%j limit a file to %i', (qos, limit) => {
    expect(plan(planInput({ volumes: [file(1, qos)] })).vm.drives.at(-1)?.iopsLimit).toBe(limit);
  });

  it('that are not heeded are told', () => {
    expect(ignoredQos({ device: device(1, {}, { total_iops_sec: '5' }) })).toMatch(
      /total_iops_sec.*back-end/,
    );
    expect(ignoredQos(file(1, { total_iops_sec: '5', read_iops_sec: '1' }))).toMatch(/\(read_iops_sec\)/);
    expect(ignoredQos(file(1, { total_iops_sec: '5' }))).toBeUndefined();
  });

  it('need numbers, and a host that has limits', () => {
    const volumes = [file(1, { total_iops_sec: 'many' })];
    expect(() => plan(planInput({ volumes }))).toThrow(/whole number/);
    const old = hostFacts({ windowsVersion: { major: 6, minor: 2, build: 9200 } });
    const gen1 = image({ properties: {} });
    const limited = [file(1, { total_iops_sec: 5 })];
    expect(() => plan(planInput({ volumes: limited, host: old, image: gen1 }))).toThrow(/2012 R2/);
  });
});
