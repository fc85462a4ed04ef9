import type { CimInstance } from '@nova-hyperv/wsman';
import { isTrue, numberOf, textOf, textsOf } from '../cim.js';
import { deviceOf, pciExpressReference } from '../devices/host-pci.js';
import { HV, HyperVError } from '../errors.js';
import { hostPath, newResource } from './build.js';
import { isKind } from './kinds.js';
import { STATE, nameOf, resourcesOf, settingsId, withResource } from './model.js';
import type { Machine } from './model.js';
import type { RuleHost } from './rules.js';

/** Msvm_VirtualSystemSettingData.AutomaticShutdownAction: save the machine's state. */
const SAVE = 3;

/** A device of the host for one machine (rules D1 to D4). */
export function addPciDevice(
  machine: Machine,
  wanted: CimInstance,
  host: RuleHost,
): { readonly machine: Machine; readonly added: CimInstance } {
  if (machine.enabledState !== STATE.off)
    throw new HyperVError(
      HV.invalidState,
      'A PCI Express device can be added only while the virtual machine is off.',
    );
  const paths = textsOf(wanted.properties['HostResource']).filter((path) => path !== '');
  const device = paths.length === 1 ? host.pci.byPath(paths[0] ?? '', host) : undefined;
  if (device === undefined)
    throw new HyperVError(
      HV.invalidParameter,
      `HostResource must be the path of one assignable PCI Express device of this host: dismount it first. '${paths.join(', ')}' is none.`,
    );
  const holder = host.holderOf(device);
  if (holder !== undefined)
    throw new HyperVError(
      HV.inUse,
      `The PCI Express device is assigned to the virtual machine '${nameOf(holder)}'.`,
    );
  const added = newResource(host, 'pci-express', `${settingsId(machine.id)}\\${host.newGuid()}`, {
    HostResource: [hostPath(host, pciExpressReference(device, host))],
  });
  const next = withResource(machine, added);
  checkAssignment(next);
  return { machine: next, added };
}

/** What a machine with a host's device may not have. */
export function checkAssignment(machine: Machine): void {
  const resources = resourcesOf(machine);
  if (!resources.some((resource) => isKind(resource, 'pci-express'))) return;
  const memory = resources.find((resource) => isKind(resource, 'memory'));
  if (isTrue(memory?.properties['DynamicMemoryEnabled']))
    throw new HyperVError(
      HV.invalidParameter,
      `'${nameOf(machine)}' has an assigned PCI Express device, which dynamic memory does not go with.`,
    );
  if (numberOf(machine.settings.properties['AutomaticShutdownAction']) === SAVE)
    throw new HyperVError(
      HV.invalidParameter,
      `'${nameOf(machine)}' has an assigned PCI Express device, so its state cannot be saved when the host shuts down: set AutomaticShutdownAction to turn off or shut down.`,
    );
}

/** The models of a machine's devices by their settings' ids; a start fails when the host has one no more. */
export function assignedDevices(
  machine: Machine,
  host: RuleHost,
): readonly { readonly id: string; readonly model: string }[] {
  return resourcesOf(machine)
    .filter((resource) => isKind(resource, 'pci-express'))
    .map((setting) => {
      const device = deviceOf(setting, host);
      if (device === undefined)
        throw new HyperVError(
          HV.failed,
          `The PCI Express device ${textsOf(setting.properties['HostResource'])[0] ?? ''} of '${nameOf(machine)}' is not there: it has left the host, or was mounted again.`,
        );
      return { id: textOf(setting.properties['InstanceID']), model: device.model };
    });
}
