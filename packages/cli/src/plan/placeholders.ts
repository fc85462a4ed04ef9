import type { PlanHostFacts, Vif } from '@nova-hyperv/driver';
import { isRecord } from '../json.js';

/** What a plan calls things that only a boot gives their names. No host and no service makes such identifiers. */
export const PLANNED_INSTANCE = '00000000-0000-4000-8000-000000000000';
export const PLANNED_SWITCH = '00000000-0000-4000-8000-0000000000E0';
const PLANNED_DEVICE = 'planned-device-';
const PLANNED_PORT = /^00000000-0000-4000-8000-0000000001[0-9a-f]{2}$/;

/** Ports that are yet to be made, bound as a Hyper-V host's are. */
export function portsToBe(count: number): readonly Vif[] {
  return Array.from({ length: count }, (_, index) => {
    const digits = index.toString(16).padStart(2, '0');
    return {
      portId: `00000000-0000-4000-8000-0000000001${digits}`,
      mac: `fa:16:3e:00:00:${digits}`,
      networkId: '',
      networkLabel: '',
      vifType: 'hyperv',
      mtu: 1500,
      active: false,
      fixedIps: [],
    };
  });
}

/** A device of the host, free for the instance. */
type FreeDevice = NonNullable<PlanHostFacts['pciDevices']>[number] & { readonly address: string };

/** As many devices as `pci_passthrough:alias` names (`gpu:1,nic:2`), as if a host had claimed them. */
export function devicesToBe(aliases = ''): readonly FreeDevice[] {
  const counts = aliases.split(',').map((part) => /^[^:]+:(\d{1,2})$/.exec(part.trim())?.[1] ?? '0');
  const count = counts.reduce((sum, one) => sum + Number(one), 0);
  return Array.from({ length: count }, (_, index) => ({
    systemName: '',
    deviceId: `${PLANNED_DEVICE}${String(index).padStart(4, '0')}`,
    instancePath: '',
    locationPath: '',
    vendorId: '',
    productId: '',
    address: `planned:${index}`,
    inUse: false,
  }));
}

/** A planned spec with the machine's own identifiers where the plan had none to give: those are no difference. */
export function withIdentifiersOf(planned: unknown, observed: unknown): unknown {
  const names = new Map<string, string>();
  const learn = (from: unknown, to: unknown): void => {
    if (typeof from === 'string' && typeof to === 'string') names.set(from, to);
  };
  if (!isRecord(planned) || !isRecord(observed)) return planned;
  if (planned['instanceUuid'] === PLANNED_INSTANCE) learn(PLANNED_INSTANCE, observed['instanceUuid']);
  const [wanted, found] = [listOf(planned, 'nics'), listOf(observed, 'nics')];
  for (const [index, nic] of wanted.entries()) {
    if (nic['switchId'] === PLANNED_SWITCH) learn(PLANNED_SWITCH, found[index]?.['switchId']);
    if (!PLANNED_PORT.test(String(nic['portId']))) continue;
    for (const key of ['portId', 'mac']) learn(nic[key], found[index]?.[key]);
  }
  const [asked, given] = [listOf(planned, 'pciDevices'), listOf(observed, 'pciDevices')];
  const pciDevices = asked.map((device, index) =>
    String(device['deviceId']).startsWith(PLANNED_DEVICE) ? (given[index] ?? device) : device,
  );
  const known = 'pciDevices' in planned ? { ...planned, pciDevices } : planned;
  return renamed(known, [...names]);
}

function listOf(
  spec: Readonly<Record<string, unknown>>,
  key: string,
): readonly Readonly<Record<string, unknown>>[] {
  const list: unknown = spec[key];
  return Array.isArray(list) ? list.filter(isRecord) : [];
}

function renamed(value: unknown, names: readonly (readonly [string, string])[]): unknown {
  if (typeof value === 'string') return names.reduce((text, [from, to]) => text.replaceAll(from, to), value);
  if (Array.isArray(value)) return value.map((one: unknown) => renamed(one, names));
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, renamed(one, names)]));
}
