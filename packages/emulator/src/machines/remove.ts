import { WBEM, WmiError } from '@nova-hyperv/wsman';
import { textOf } from '../cim.js';
import { HV, HyperVError } from '../errors.js';
import { withoutBootSource } from './boot.js';
import { isKind, kindOf } from './kinds.js';
import { STATE, childrenOf, generationOf, idOf, parentOf, resourceById, withoutResource } from './model.js';
import type { Machine } from './model.js';
import type { RuleHost } from './rules.js';

const REMOVABLE = new Set([
  'scsi-controller',
  'disk-drive',
  'physical-drive',
  'dvd-drive',
  'hard-disk',
  'dvd-disk',
  'synthetic-nic',
  'legacy-nic',
  'connection',
  'pci-express',
  'synthetic-display',
  'remotefx-display',
]);

/** One element of RemoveResourceSettings. */
export function removeResource(machine: Machine, instanceId: string, host: RuleHost): Machine {
  const resource = resourceById(machine, instanceId);
  const name = resource === undefined ? undefined : kindOf(resource)?.name;
  if (resource === undefined || name === undefined || !REMOVABLE.has(name)) {
    throw new HyperVError(HV.invalidParameter, `'${instanceId}' is no resource that can be removed.`);
  }
  if (machine.enabledState !== STATE.off) checkRunning(machine, resource, host);
  const children = childrenOf(machine, idOf(resource));
  if (isKind(resource, 'scsi-controller') && children.length > 0) {
    throw new HyperVError(HV.invalidParameter, 'The controller still has drives.');
  }
  if (isKind(resource, 'disk-drive', 'dvd-drive') && children.length > 0) {
    // Windows answers with a fault here, not with a return value.
    throw new WmiError(WBEM.failed, 'Generic failure: the drive still holds a disk.');
  }
  let next = machine;
  for (const child of children) next = withoutConnection(next, idOf(child));
  next = isKind(resource, 'connection')
    ? withoutConnection(next, instanceId)
    : withoutResource(next, instanceId);
  return withoutBootSource(next, resource);
}

/** A connection leaves with its features. */
function withoutConnection(machine: Machine, instanceId: string): Machine {
  const prefix = `${instanceId.toLowerCase()}\\`;
  const resources = new Map(
    [...machine.resources].filter(([id]) => id !== instanceId.toLowerCase() && !id.startsWith(prefix)),
  );
  return { ...machine, resources };
}

function checkRunning(machine: Machine, resource: Parameters<typeof kindOf>[0], host: RuleHost): void {
  const refuse = (why: string): never => {
    throw new HyperVError(
      HV.invalidState,
      `'${textOf(resource.properties['ElementName'])}' can be removed only while the virtual machine is off: ${why}.`,
    );
  };
  if (machine.enabledState !== STATE.running && machine.enabledState !== STATE.paused)
    refuse('its state does not allow it');
  if (isKind(resource, 'scsi-controller')) refuse('a controller is not hot-pluggable');
  if (isKind(resource, 'disk-drive', 'physical-drive', 'dvd-drive', 'hard-disk') && onIde(machine, resource))
    refuse('IDE is not hot-pluggable');
  if (isKind(resource, 'pci-express', 'synthetic-display', 'remotefx-display'))
    refuse('a device of this kind is not hot-pluggable');
  if (isKind(resource, 'legacy-nic')) refuse('a legacy network adapter is not hot-pluggable');
  if (isKind(resource, 'synthetic-nic') && (generationOf(machine) === 1 || !host.release.isTen)) {
    refuse('network adapters are hot-pluggable for generation 2 on Windows 10.0 and later only');
  }
}

/** True for drives on an IDE controller and for what is in them. */
export function onIde(machine: Machine, resource: Parameters<typeof kindOf>[0]): boolean {
  let current: typeof resource | undefined = resource;
  for (let depth = 0; current !== undefined && depth < 3; depth += 1) {
    if (isKind(current, 'ide-controller')) return true;
    current = resourceById(machine, parentOf(current) ?? '');
  }
  return false;
}
