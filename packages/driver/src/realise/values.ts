import { SECURE_BOOT_TEMPLATE_ID } from '@nova-hyperv/hyperv';
import type { BiosBootDevice, SecureBootTemplate, VmSpec } from '../plan/vm-spec.js';

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

/** The template of a SecureBootTemplateId; hosts before 10.0 have only Windows' and no such property. */
export function templateOf(id: string): SecureBootTemplate {
  if (id === '' || id === SECURE_BOOT_TEMPLATE_ID.MicrosoftWindows) return 'MicrosoftWindows';
  return id === SECURE_BOOT_TEMPLATE_ID.MicrosoftUEFICertificateAuthority
    ? 'MicrosoftUEFICertificateAuthority'
    : 'unknown';
}

export function biosValue(device: BiosBootDevice): number {
  return BIOS_DEVICES.find(([name]) => name === device)?.[1] ?? 0;
}

export function shutdownValue(action: VmSpec['automaticShutdown']): number {
  return SHUTDOWN_ACTIONS.find(([name]) => name === action)?.[1] ?? 3;
}
