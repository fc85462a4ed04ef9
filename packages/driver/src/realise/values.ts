import type { BiosBootDevice, VmSpec } from '../plan/vm-spec.js';

/** Msvm_VirtualSystemSettingData.BootOrder */
export const BIOS_DEVICES: readonly (readonly [BiosBootDevice, number])[] = [
  ['floppy', 0],
  ['cd', 1],
  ['hard-disk', 2],
  ['network', 3],
];

/** Msvm_VirtualSystemSettingData.AutomaticShutdownAction */
export const SHUTDOWN_ACTIONS: readonly (readonly [VmSpec['automaticShutdown'], number])[] = [
  ['turn-off', 2],
  ['save', 3],
  ['shut-down', 4],
];

/** Msvm_VirtualSystemSettingData.AutomaticStartupAction: Nova starts machines, the host does not. */
export const START_ACTION_NONE = 2;

export function biosValue(device: BiosBootDevice): number {
  return BIOS_DEVICES.find(([name]) => name === device)?.[1] ?? 0;
}

export function shutdownValue(action: VmSpec['automaticShutdown']): number {
  return SHUTDOWN_ACTIONS.find(([name]) => name === action)?.[1] ?? 3;
}
