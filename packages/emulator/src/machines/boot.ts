import { HV, HyperVError } from '../errors.js';
import type { CimInstance } from '@nova-hyperv/wsman';
import { textsOf } from '../cim.js';
import { hostPath } from './build.js';
import {
  bootSource,
  generationOf,
  idOf,
  pathTarget,
  resourceById,
  resourceReference,
  resourcesOf,
  withResource,
  withoutResource,
  withSettings,
} from './model.js';
import type { Machine } from './model.js';
import type { RuleHost } from './rules.js';

function bootSourcesOf(machine: Machine): CimInstance[] {
  return resourcesOf(machine).filter((resource) => resource.className === 'Msvm_BootSourceSettingData');
}

/**
 * The boot order of a generation 2 machine when a caller asks for `wanted`: each entry must name a boot source of
 * this machine; what is left out is not booted from.
 */
export function orderedBootSources(
  machine: Machine,
  wanted: readonly string[],
  host: RuleHost,
): readonly string[] {
  if (generationOf(machine) === 1) return [];
  const sources = new Map(bootSourcesOf(machine).map((source) => [idOf(source).toLowerCase(), source]));
  const order: string[] = [];
  for (const path of wanted) {
    const target = pathTarget(path);
    const source = target === undefined ? undefined : sources.get(target);
    if (target === undefined || source === undefined) {
      throw new HyperVError(
        HV.invalidParameter,
        `BootSourceOrder names no boot source of this virtual machine: ${path}`,
      );
    }
    const reported = hostPath(host, resourceReference(source));
    if (host.refuse.has('computed-boot-source') && path !== reported) {
      throw new HyperVError(
        HV.invalidParameter,
        `BootSourceOrder must have the form that the host reports: ${reported}`,
      );
    }
    sources.delete(target);
    order.push(reported);
  }
  return order;
}

/** Gives a device of a generation 2 machine its boot source, at the end of the boot order. */
export function withBootSource(
  machine: Machine,
  device: CimInstance,
  host: RuleHost,
  type: 1 | 2,
  firmwarePath: string,
): Machine {
  if (generationOf(machine) === 1) return machine;
  const source = bootSource(device, type, type === 1 ? 'EFI SCSI Device' : 'EFI Network', firmwarePath);
  const order = textsOf(machine.settings.properties['BootSourceOrder']);
  const added = withResource(machine, source);
  return withSettings(added, { BootSourceOrder: [...order, hostPath(host, resourceReference(source))] });
}

/** Takes a device's boot source away, also from the boot order. */
export function withoutBootSource(machine: Machine, device: CimInstance): Machine {
  const id = `${idOf(device)}\\B`;
  if (resourceById(machine, id) === undefined) return machine;
  const order = textsOf(machine.settings.properties['BootSourceOrder']).filter(
    (path) => pathTarget(path) !== id.toLowerCase(),
  );
  return withSettings(withoutResource(machine, id), { BootSourceOrder: order });
}
