import type { CimReference } from '@nova-hyperv/wsman';
import { describe, expect, it } from 'vitest';
import type { ObservedDrive } from '../realise/observed.js';
import { planSnapshot } from './snapshot.js';

const directory = 'C:\\OpenStack\\Instances\\instance-00000001';
const reference: CimReference = { kind: 'reference', namespace: 'n', className: 'c', keys: {} };
const place = { reference, bus: 'scsi', controller: 0, slot: 0, kind: 'disk' } as const;
const file = (path: string): ObservedDrive => ({ ...place, image: { reference, path, iopsLimit: 0 } });
const root = file(`${directory}\\root.vhdx`);
const volume: ObservedDrive = { ...place, slot: 1, physical: { volumeId: 'v', disk: 'd' } };
const pci = { reference, systemName: 's', deviceId: 'd' };

describe('an image of an instance', () => {
  it('is made of its root disk, frozen when it runs', () => {
    const machine = { drives: [file(`${directory}\\eph0.vhdx`), root], pciDevices: [] };
    const source = { path: `${directory}\\root.vhdx`, format: 'vhdx' };
    expect(planSnapshot(machine, { isOff: true, directory })).toEqual({ ...source, needsCheckpoint: false });
    expect(planSnapshot(machine, { isOff: false, directory })).toEqual({ ...source, needsCheckpoint: true });
  });

  it.each([
    ['an ISO image', file(`${directory}\\root.iso`)],
    ['a disk that is not its own', file('C:\\elsewhere\\root.vhdx')],
    ['a volume', volume],
  ])('is refused of one that boots from %s', (_, drive) => {
    expect(() => planSnapshot({ drives: [drive], pciDevices: [] }, { isOff: true, directory })).toThrow(
      expect.objectContaining({ novaName: 'InstanceInvalidState' }),
    );
  });

  it.each([
    ['PCI devices', { drives: [root], pciDevices: [pci] }],
    ['block volumes', { drives: [root, volume], pciDevices: [] }],
  ])('of one with %s is refused while it runs', (_, machine) => {
    expect(() => planSnapshot(machine, { isOff: false, directory })).toThrow(/Stop it/);
    expect(planSnapshot(machine, { isOff: true, directory }).needsCheckpoint).toBe(false);
  });
});
