import { describe, expect, it } from 'vitest';
import { DEFAULT_CONFIG } from '../config.js';
import * as make from '../test-support/fixtures.js';
import { plan, planEarly } from './plan.js';
import { planResize } from './resize.js';

const FOLDER = 'C:\\OpenStack\\Instances\\instance-00000001';
const gen1 = { image: make.image({ diskFormat: 'vhd', properties: {} }), base: make.vhdBase() };
const cdrom = { ...DEFAULT_CONFIG, configDriveCdrom: true };
const withEphemerals = (count: number) =>
  make.instance({
    flavor: make.flavor({ ephemeralGb: count }),
    ephemeralsGb: Array.from({ length: count }, () => 1),
  });
const places = (changes: Parameters<typeof make.plannedDrives>[0]) =>
  make
    .plannedDrives({ configDrive: true, ...changes })
    .map(
      ({ bus, controller, slot, kind, path }) =>
        `${bus} ${controller}:${slot} ${kind} ${path.slice(FOLDER.length + 1)}`,
    );

describe('the config drive', () => {
  it('is there only when it is asked for', () => {
    expect(make.plannedDrives({})).toHaveLength(1);
  });

  it('is a disk at the second IDE controller of generation 1, whatever else there is', () => {
    expect(places(gen1)).toEqual(['ide 0:0 disk root.vhd', 'ide 1:0 disk configdrive.vhd']);
    expect(places({ ...gen1, instance: withEphemerals(2) })).toEqual([
      'ide 0:0 disk root.vhd',
      'ide 0:1 disk eph0.vhdx',
      'ide 1:0 disk configdrive.vhd',
      'ide 1:1 disk eph1.vhdx',
    ]);
  });

  it('takes the first free SCSI slot of generation 2, and is never booted from', () => {
    const { vm, files } = plan(make.planInput({ configDrive: true, instance: withEphemerals(1) }));
    expect(vm.drives.at(-1)).toMatchObject({ bus: 'scsi', slot: 2, path: `${FOLDER}\\configdrive.vhd` });
    expect(files.at(-1)).toEqual({
      kind: 'config-drive',
      path: `${FOLDER}\\configdrive.vhd`,
      form: 'vhd',
    });
    expect(vm.firmware).toMatchObject({ bootOrder: ['scsi:0:0', expect.stringMatching(/^nic:/)] });
  });

  it('is a DVD where the host says so', () => {
    expect(places({ config: cdrom })).toEqual(['scsi 0:0 disk root.vhdx', 'scsi 0:1 dvd configdrive.iso']);
    expect(places({ ...gen1, config: cdrom })).toContain('ide 1:0 dvd configdrive.iso');
  });

  it('is limited as the other disks are', () => {
    const extraSpecs = { 'quota:disk_total_iops_sec': '500' };
    const instance = make.instance({ flavor: make.flavor({ extraSpecs }) });
    expect(make.plannedDrives({ configDrive: true, instance }).map(({ iopsLimit }) => iopsLimit)).toEqual([
      500, 500,
    ]);
  });

  it('is refused without a free slot, and in another format', () => {
    expect(() => places({ ...gen1, instance: withEphemerals(3) })).toThrow(/no free IDE slot/);
    expect(() => places({ instance: withEphemerals(63) })).toThrow(/no free SCSI slot/);
    const config = { ...DEFAULT_CONFIG, configDriveFormat: 'vfat' };
    expect(() => planEarly(make.earlyInput({ configDrive: true, config }))).toThrow(
      expect.objectContaining({ novaName: 'ConfigDriveUnsupportedFormat' }),
    );
    expect(() => planEarly(make.earlyInput({ config }))).not.toThrow();
  });

  it('stays where it is when the instance is resized', () => {
    const { vm } = plan(make.planInput({ configDrive: true }));
    const flavor = make.flavor({ extraSpecs: { 'quota:disk_total_iops_sec': '200' } });
    const resized = planResize({
      ...make.earlyInput({ instance: make.instance({ flavor }) }),
      oldFlavor: make.flavor(),
      drives: vm.drives,
      disks: [],
    });
    expect(resized.vm.drives).toEqual([vm.drives[0], { ...vm.drives[1], iopsLimit: 200 }]);
    expect(resized.changes).toEqual([]);
  });
});
