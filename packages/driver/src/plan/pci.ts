import { DriverError } from '../errors.js';
import type { EarlyPlanInput } from './input.js';
import { versionText } from './generation.js';
import { compareVersions, FIRST_WITH_PCI_DEVICES } from './limits.js';
import type { PciDeviceSpec } from './vm-spec.js';

/** Whether the machine will have devices of the host: static memory and no saved state go with them. */
export function hasPciDevices({ instance }: Pick<EarlyPlanInput, 'instance'>): boolean {
  return (instance.pciDevices?.length ?? 0) > 0;
}

/**
 * The devices that were claimed, and no others: the host knows them by another name, which is looked up by their place.
 * Source for the version: Microsoft, "Plan for deploying devices by using Discrete Device Assignment".
 */
export function planPciDevices(input: EarlyPlanInput): readonly PciDeviceSpec[] {
  const { instance, host } = input;
  const claimed = instance.pciDevices ?? [];
  refuseUnclaimed(input);
  if (claimed.length === 0) return [];
  if (compareVersions(host.windowsVersion, FIRST_WITH_PCI_DEVICES) < 0) {
    throw new DriverError(
      'InstanceUnacceptable',
      `Flavor ${instance.flavor.name} asks for PCI devices, and host ${host.name} (Windows ${versionText(host)}) cannot assign any: Discrete Device Assignment needs Windows Server 2016 (10.0) or later.`,
      { scope: 'host' },
    );
  }
  return claimed.map(({ address }) => deviceAt(input, address)).toSorted(compareDevices);
}

/** The canonical order of {@link VmSpec.pciDevices}. */
export function compareDevices(a: PciDeviceSpec, b: PciDeviceSpec): number {
  return a.deviceId < b.deviceId ? -1 : a.deviceId > b.deviceId ? 1 : 0;
}

function refuseUnclaimed({ instance, host }: EarlyPlanInput): void {
  const wanted = instance.flavor.extraSpecs['pci_passthrough:alias'];
  if (wanted === undefined || wanted.trim() === '' || (instance.pciDevices?.length ?? 0) > 0) return;
  throw new DriverError(
    'PciDeviceRequestFailed',
    `PCI device request ${wanted} of flavor ${instance.flavor.name} failed: no device of host ${host.name} was claimed for it. Check [pci] device_spec of this host and [pci] alias.`,
    { scope: 'host' },
  );
}

function deviceAt({ host, ownPciDevices = [] }: EarlyPlanInput, address: string): PciDeviceSpec {
  const device = host.pciDevices?.find((candidate) => candidate.address === address);
  if (device === undefined) {
    throw new DriverError(
      'PciDeviceNotFound',
      `PCI Device ${host.name}:${address} not found: it is not among the devices that the host has dismounted for its machines. See Get-VMHostAssignableDevice there, and Dismount-VMHostAssignableDevice.`,
      { scope: 'host' },
    );
  }
  const { systemName, deviceId, inUse } = device;
  if (inUse && !ownPciDevices.includes(deviceId)) {
    throw new DriverError(
      'PciDeviceInvalidStatus',
      `PCI device ${host.name}:${address} is assigned to another machine of the host, which nova-compute does not manage: take it from there (Remove-VMAssignableDevice), or leave it out of [pci] device_spec.`,
      { scope: 'host' },
    );
  }
  return { systemName, deviceId };
}
