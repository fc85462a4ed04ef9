import type { DriveConfig, MachineConfig } from '../engine.js';

export const MACHINE_ID = '6F1C7A52-0000-4000-8000-000000000001';

export function drive(fields: Partial<DriveConfig> = {}): DriveConfig {
  return { id: 'scsi-0-0', bus: 'scsi', controller: 0, slot: 0, kind: 'disk', ...fields };
}

/** A generation 2 machine with one disk drive without a disk. */
export function machine(fields: Partial<MachineConfig> = {}): MachineConfig {
  return {
    id: MACHINE_ID,
    name: 'vm',
    generation: 2,
    memoryMb: 512,
    processors: 1,
    biosGuid: '6F1C7A52-1111-4000-8000-000000000001',
    firmware: { bootOrder: ['scsi-0-0'] },
    drives: [drive()],
    scsiControllers: [0],
    nics: [],
    serialPorts: [],
    ...fields,
  };
}
