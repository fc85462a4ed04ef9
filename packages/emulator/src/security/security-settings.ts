import type { CimInstance, CimValue } from '@nova-hyperv/wsman';
import { isTrue, textOf, v2 } from '../cim.js';
import { HV, HyperVError } from '../errors.js';
import { STATE, changed, generationOf, resourcesOf, settingsId, withResource } from '../machines/model.js';
import type { Machine } from '../machines/model.js';
import type { RuleHost } from '../machines/rules.js';
import { guardiansOf } from './shielding-data.js';

const CLASS = 'Msvm_SecuritySettingData';
/** Part of the InstanceID; the emulator's own. */
const SETTINGS_GUID = '93FC5B0C-7C05-4E55-8C5E-2B5C6C8A3E6F';
/** What Hyper-V tells of a machine without a key protector. Source: Get-VMKeyProtector. */
export const NO_KEY_PROTECTOR: readonly number[] = [0, 0, 0, 4];

/** The security settings that a new machine has: nothing is on. */
export function newSecuritySettings(machineId: string): CimInstance {
  return v2(CLASS, {
    InstanceID: `${settingsId(machineId)}\\${SETTINGS_GUID}`,
    ElementName: 'Security Settings',
    Caption: 'Security Settings',
    Description: 'Security settings of the virtual machine.',
    TpmEnabled: false,
    KsdEnabled: false,
    ShieldingRequested: false,
    DataProtectionRequested: false,
    EncryptStateAndVmMigrationTraffic: false,
    VirtualizationBasedSecurityOptOut: false,
  });
}

/** undefined on hosts whose release has none. */
export function securitySettingsOf(machine: Machine): CimInstance | undefined {
  return resourcesOf(machine).find((resource) => resource.className === CLASS);
}

export function isShielded(machine: Machine): boolean {
  return isTrue(securitySettingsOf(machine)?.properties['ShieldingRequested']);
}

export function hasTpm(machine: Machine): boolean {
  return isTrue(securitySettingsOf(machine)?.properties['TpmEnabled']);
}

export function withKeyProtector(machine: Machine, keyProtector: readonly number[]): Machine {
  requireChangeable(machine);
  if (keyProtector.length <= NO_KEY_PROTECTOR.length)
    throw new HyperVError(HV.invalidParameter, 'The key protector is empty.');
  return { ...machine, keyProtector: Buffer.from(keyProtector).toString('base64') };
}

export function withSecurityPolicy(machine: Machine, policy: readonly number[]): Machine {
  requireChangeable(machine);
  if (machine.keyProtector === undefined)
    throw new HyperVError(
      HV.invalidState,
      'A security policy needs a key protector, which must be set first.',
    );
  if (policy.length === 0) throw new HyperVError(HV.invalidParameter, 'The security policy is empty.');
  return { ...machine, securityPolicy: Buffer.from(policy).toString('base64') };
}

/** ModifySecuritySettings: null keeps. */
export function modifySecuritySettings(machine: Machine, wanted: CimInstance): Machine {
  requireChangeable(machine);
  const before = securitySettingsOf(machine);
  if (before === undefined)
    throw new HyperVError(HV.notSupported, 'The virtual machine has no security settings.');
  const changes: Record<string, CimValue> = {};
  for (const [name, value] of Object.entries(wanted.properties)) {
    if (typeof value === 'boolean') changes[name] = value;
  }
  const after = changed(before, changes);
  checkSettings(machine, before, after);
  return withResource(machine, after);
}

function refuse(why: string): never {
  throw new HyperVError(HV.invalidParameter, why);
}

/** Source: Microsoft's "Guarded fabric and shielded VMs overview", what each kind of machine must have; Set-VMSecurityPolicy, Enable-VMTPM. */
function checkSettings(machine: Machine, before: CimInstance, after: CimInstance): void {
  const on = (name: string): boolean => isTrue(after.properties[name]);
  if (on('KsdEnabled') && generationOf(machine) === 2)
    refuse('The key storage drive is for generation 1 virtual machines only.');
  if (on('TpmEnabled') && generationOf(machine) === 1)
    refuse('The virtual TPM is for generation 2 virtual machines only.');
  if (on('TpmEnabled') && machine.keyProtector === undefined) {
    throw new HyperVError(
      HV.invalidState,
      'The key protector of the virtual machine must be set before its virtual TPM is enabled.',
    );
  }
  if (isTrue(before.properties['ShieldingRequested']) && !on('ShieldingRequested'))
    refuse('Shielding cannot be taken away from a virtual machine.');
  if (!on('ShieldingRequested')) return;
  if (!on('TpmEnabled')) refuse('A shielded virtual machine needs its virtual TPM.');
  if (!on('EncryptStateAndVmMigrationTraffic'))
    refuse('A shielded virtual machine encrypts its state and its migration traffic.');
  if (!isTrue(machine.settings.properties['SecureBootEnabled']))
    refuse('A shielded virtual machine needs Secure Boot.');
}

/** T4, and what a shielded machine keeps. */
function requireChangeable(machine: Machine): void {
  if (machine.enabledState !== STATE.off)
    throw new HyperVError(
      HV.invalidState,
      'Security settings can be changed only while the virtual machine is off.',
    );
}

/** What a start checks: without a guardian of this host the key of the TPM cannot be had. */
export function checkKeyProtector(machine: Machine, host: RuleHost): void {
  if (isShielded(machine) && !host.guarded) {
    throw new HyperVError(
      HV.failed,
      `The shielded virtual machine '${textOf(machine.settings.properties['ElementName'])}' cannot be started: this is no guarded host.`,
    );
  }
  if (!hasTpm(machine)) return;
  const guardians = guardiansOf(Buffer.from(machine.keyProtector ?? '', 'base64'));
  if (!guardians.some((guardian) => host.guardians.includes(guardian)))
    throw new HyperVError(
      HV.failed,
      'The key protector could not be unwrapped. The virtual machine was made for another guarded fabric, or this host may not have its keys.',
    );
}
