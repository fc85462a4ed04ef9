import type { CimInstance } from '@nova-hyperv/wsman';
import { textOf } from '../cim.js';
import { HV, HyperVError } from '../errors.js';
import { isKind } from './kinds.js';
import { changed, resourcesOf, withResource } from './model.js';
import type { Machine } from './model.js';

/** Vendor part of the host's dynamic MAC addresses. */
const MAC_POOL = '00155D';

/** The machine, its network adapters without an address given dynamic ones that no adapter of the host has. */
export function assignedMacs(machine: Machine, machines: Iterable<Machine>): Machine {
  const bare = adaptersOf(machine).filter((nic) => textOf(nic.properties['Address']) === '');
  if (bare.length === 0) return machine;
  const taken = new Set([...machines].flatMap(adaptersOf).map((nic) => textOf(nic.properties['Address'])));
  let next = machine;
  for (const nic of bare) {
    const address = freeMac(taken);
    taken.add(address);
    next = withResource(next, changed(nic, { Address: address }));
  }
  return next;
}

function adaptersOf(machine: Machine): readonly CimInstance[] {
  return resourcesOf(machine).filter((resource) => isKind(resource, 'synthetic-nic', 'legacy-nic'));
}

function freeMac(taken: ReadonlySet<string>): string {
  for (let number = 0; number < 0x10000; number += 1) {
    const address = MAC_POOL + number.toString(16).toUpperCase().padStart(6, '0');
    if (!taken.has(address)) return address;
  }
  throw new HyperVError(HV.failed, 'The host has no free MAC address left.');
}
