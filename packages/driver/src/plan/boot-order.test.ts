import { describe, expect, it } from 'vitest';
import { biosOrder, localBootIndexes, uefiOrder } from './boot-order.js';
import type { BootDevice, DriveSpec } from './vm-spec.js';

const drive = (slot: number, path: string): DriveSpec => ({
  bus: 'scsi',
  controller: 0,
  slot,
  kind: 'disk',
  iopsLimit: 0,
  path: `C:\\vms\\instance-1\\${path}`,
});
const drives = [drive(0, 'root.vhdx'), drive(1, 'eph0.vhdx'), drive(2, 'a.vhdx'), drive(3, 'b.vhdx')];
const nics = [{ portId: 'p1' }];
const order = (...indexes: readonly [BootDevice, number][]) => uefiOrder(drives, new Map(indexes), nics);

describe('the order that UEFI tries', () => {
  it('is the root and then the network: ephemeral disks never boot', () => {
    expect(uefiOrder(drives, localBootIndexes(drives, 'C:\\vms\\instance-1'), nics)).toEqual([
      'scsi:0:0',
      'nic:p1',
    ]);
  });
  it('follows the boot indexes, whatever the places', () => {
    expect(order(['scsi:0:0', 2], ['scsi:0:2', 0], ['scsi:0:3', 1])).toEqual([
      'scsi:0:2',
      'scsi:0:3',
      'scsi:0:0',
      'nic:p1',
    ]);
  });
  it('keeps equal ones in the order of their places, and leaves out what is below 0 or not named', () => {
    expect(order(['scsi:0:3', 0], ['scsi:0:2', 0], ['scsi:0:0', -1])).toEqual([
      'scsi:0:2',
      'scsi:0:3',
      'nic:p1',
    ]);
  });
  it('keeps the network when nothing else boots', () => {
    expect(order()).toEqual(['nic:p1']);
  });
});

describe('the order that a BIOS tries', () => {
  it('is disks first, and the DVD drive first for an ISO image', () => {
    expect(biosOrder(false)).toEqual(['hard-disk', 'cd', 'network', 'floppy']);
    expect(biosOrder(true)).toEqual(['cd', 'hard-disk', 'network', 'floppy']);
  });
});
