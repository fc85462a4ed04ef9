import { formatObjectPath } from '@nova-hyperv/wsman';
import { reference } from '@nova-hyperv/hyperv';
import type { BootDevice } from '../plan/vm-spec.js';
import { instanceIdOf } from './observed.js';
import type { ObservedMachine, ObservedSettings } from './observed.js';
import { deviceOfBootSource } from './spec-of.js';

/**
 * The boot order to write, or undefined when it is right: the host's own paths in the wanted order, then its other entries (files that
 * the guest's loader added) as they were.
 */
export function bootSources(
  wanted: readonly BootDevice[],
  machine: ObservedMachine,
  has: ObservedSettings,
  host: string,
): readonly string[] | undefined {
  const byDevice = new Map<BootDevice, string>();
  const others: string[] = [];
  const now: BootDevice[] = [];
  for (const path of has.bootSourceOrder) {
    const device = deviceOfBootSource(machine, path);
    if (device === undefined || byDevice.has(device)) others.push(path);
    else {
      byDevice.set(device, path);
      now.push(device);
    }
  }
  if (now.join() === wanted.join()) return undefined;
  const paths = wanted.map((device) => byDevice.get(device) ?? computedBootSource(device, machine, host));
  return [...paths.filter((path) => path !== undefined), ...others];
}

/** For a host that leaves a device out of its order. */
function computedBootSource(device: BootDevice, machine: ObservedMachine, host: string): string | undefined {
  const drive = machine.drives.find(
    (candidate) => `${candidate.bus}:${candidate.controller}:${candidate.slot}` === device,
  );
  const owner = drive ?? machine.nics.find((candidate) => `nic:${candidate.portId}` === device);
  if (owner === undefined) return undefined;
  const source = reference('Msvm_BootSourceSettingData', {
    InstanceID: `${instanceIdOf(owner.reference)}\\B`,
  });
  return formatObjectPath(source, { host });
}
