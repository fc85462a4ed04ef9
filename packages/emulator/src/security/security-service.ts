import type { CimReference, InvokeResult } from '@nova-hyperv/wsman';
import { textOf } from '../cim.js';
import { HV, HyperVError } from '../errors.js';
import { machineIdOf, resourceReference } from '../machines/model.js';
import type { Machine } from '../machines/model.js';
import { completed, returned } from '../methods.js';
import type { MethodCall, MethodHandler } from '../methods.js';
import { changeMachine } from '../services/context.js';
import type { ServiceContext } from '../services/context.js';
import {
  NO_KEY_PROTECTOR,
  modifySecuritySettings,
  securitySettingsOf,
  withKeyProtector,
  withSecurityPolicy,
} from './security-settings.js';

/** `JobType` of changes of settings. Source: HyperV_v2, Msvm_ConcreteJob. */
const MODIFY = 2;

/** Methods of Msvm_SecurityService. Source: HyperV_v2. */
export function securityServiceMethods(context: ServiceContext): Readonly<Record<string, MethodHandler>> {
  return {
    GetKeyProtector: (call) => {
      const { keyProtector } = machineOf(context, call);
      const bytes = keyProtector === undefined ? NO_KEY_PROTECTOR : [...Buffer.from(keyProtector, 'base64')];
      return completed({ KeyProtector: bytes });
    },
    SetKeyProtector: (call) =>
      change(context, call, 'Setting Key Protector', (machine) =>
        withKeyProtector(machine, bytesOf(call, 'KeyProtector')),
      ),
    SetSecurityPolicy: (call) =>
      change(context, call, 'Setting Security Policy', (machine) =>
        withSecurityPolicy(machine, bytesOf(call, 'SecurityPolicy')),
      ),
    ModifySecuritySettings: (call) => {
      const wanted = call.instance('SecuritySettingData', 'Msvm_SecuritySettingData');
      return change(context, call, 'Modifying Security Settings', (machine) =>
        modifySecuritySettings(machine, wanted),
      );
    },
    StartService: () => returned(1),
    StopService: () => returned(1),
  };
}

function bytesOf(call: MethodCall, name: string): readonly number[] {
  const bytes = call.numbers(name);
  if (bytes.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 255)) return bytes;
  throw new HyperVError(HV.invalidParameter, `${name}: bytes are needed.`, { direct: true });
}

/** The machine whose security settings the text is. */
function machineOf(context: ServiceContext, call: MethodCall): Machine {
  const { properties } = call.instance('SecuritySettingData', 'Msvm_SecuritySettingData');
  const id = textOf(properties['InstanceID']);
  const machine = context.machines.get(machineIdOf(id) ?? '');
  const settings = machine === undefined ? undefined : securitySettingsOf(machine);
  if (
    machine === undefined ||
    textOf(settings?.properties['InstanceID']).toLowerCase() !== id.toLowerCase()
  ) {
    throw new HyperVError(HV.invalidParameter, `There are no security settings '${id}'.`, { direct: true });
  }
  return machine;
}

function change(
  context: ServiceContext,
  call: MethodCall,
  caption: string,
  changed: (machine: Machine) => Machine,
): InvokeResult {
  const { id } = machineOf(context, call);
  return changeMachine(context, {
    machineId: id,
    caption,
    jobType: MODIFY,
    plan: (machine) => ({ machine: changed(machine), results: settingsReferences(machine) }),
  });
}

function settingsReferences(machine: Machine): readonly CimReference[] {
  const settings = securitySettingsOf(machine);
  return settings === undefined ? [] : [resourceReference(settings)];
}
