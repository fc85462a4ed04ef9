import type { Flavor } from '@nova-hyperv/driver';
import { ComputeError } from '../errors.js';

/** One way in which a device may serve a request. Names are those of [pci] alias. */
export interface PciRequestSpec {
  /** Four lower-case hexadecimal digits. */
  readonly vendorId?: string;
  readonly productId?: string;
  readonly devType: PciDevType;
}

export type PciDevType = 'type-PCI' | 'type-PF' | 'type-VF';
export type PciNumaPolicy = 'required' | 'preferred' | 'legacy' | 'socket';

/** `count` devices, each fitting one of the specs (nova/objects/instance_pci_requests.py). */
export interface PciRequest {
  readonly aliasName: string;
  readonly count: number;
  readonly specs: readonly PciRequestSpec[];
}

export interface PciAlias {
  readonly name: string;
  readonly numaPolicy: PciNumaPolicy;
  readonly specs: readonly PciRequestSpec[];
}

const TYPES: readonly PciDevType[] = ['type-PCI', 'type-PF', 'type-VF'];
const POLICIES: readonly PciNumaPolicy[] = ['required', 'preferred', 'legacy', 'socket'];
/** nova/pci/request.py _ALIAS_SCHEMA; what names resource classes and traits is Placement's way, which is not served. */
const KEYS = new Set(['name', 'capability_type', 'product_id', 'vendor_id', 'device_type', 'numa_policy']);
const MOST_DEVICES = 32;

/**
 * The aliases of [pci] alias. Several of one name are several ways to serve it, and must agree in type and policy.
 * @throws ComputeError PciInvalidAlias
 */
export function parseAliases(texts: readonly string[]): ReadonlyMap<string, PciAlias> {
  const aliases = new Map<string, PciAlias>();
  for (const text of texts) {
    for (const alias of aliasesOf(text)) {
      const known = aliases.get(alias.name);
      if (known !== undefined && known.numaPolicy !== alias.numaPolicy)
        throw invalid(`NUMA policy mismatch for alias '${alias.name}'`);
      if (known !== undefined && known.specs[0]?.devType !== alias.specs[0]?.devType)
        throw invalid(`Device type mismatch for alias '${alias.name}'`);
      aliases.set(alias.name, { ...alias, specs: [...(known?.specs ?? []), ...alias.specs] });
    }
  }
  return aliases;
}

function aliasesOf(text: string): readonly PciAlias[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw invalid(`${text} is no JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  return (Array.isArray(parsed) ? parsed : [parsed]).map(aliasOf);
}

function aliasOf(value: unknown): PciAlias {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(`${JSON.stringify(value)} is no object`);
  const entries = new Map(Object.entries(value));
  const unknown = [...entries.keys()].find((key) => !KEYS.has(key));
  if (unknown !== undefined)
    throw invalid(`${unknown} is not among the keys that are served: ${[...KEYS].join(', ')}`);
  const text = (key: string): string | undefined => {
    const found: unknown = entries.get(key);
    if (found !== undefined && typeof found !== 'string') throw invalid(`${key} has to be a text`);
    return found;
  };
  const name = text('name') ?? '';
  if (name === '' || name.length > 256) throw invalid('name is needed, of 1 to 256 characters');
  if ((text('capability_type') ?? 'pci') !== 'pci')
    throw invalid(`capability_type of '${name}' has to be pci`);
  const numaPolicy = POLICIES.find((policy) => policy === (text('numa_policy') ?? 'legacy'));
  if (numaPolicy === undefined) throw invalid(`numa_policy of '${name}' is one of ${POLICIES.join(', ')}`);
  const devType = TYPES.find((type) => type === (text('device_type') ?? 'type-PCI'));
  if (devType === undefined) throw invalid(`device_type of '${name}' is one of ${TYPES.join(', ')}`);
  const vendorId = hexId('vendor_id', text('vendor_id'));
  const productId = hexId('product_id', text('product_id'));
  return {
    name,
    numaPolicy,
    specs: [
      {
        devType,
        ...(vendorId === undefined ? {} : { vendorId }),
        ...(productId === undefined ? {} : { productId }),
      },
    ],
  };
}

function hexId(key: string, text: string | undefined): string | undefined {
  if (text === undefined || /^[\da-f]{4}$/i.test(text)) return text?.toLowerCase();
  throw invalid(`${key} has to be four hexadecimal digits, not '${text}'`);
}

function invalid(reason: string): ComputeError {
  return new ComputeError('PciInvalidAlias', `Invalid [pci]alias config: ${reason}.`);
}

/**
 * The devices that a flavor asks for by `pci_passthrough:alias`: `name:count[,name:count…]`.
 * @throws ComputeError PciRequestAliasNotDefined, PciInvalidAlias
 */
export function pciRequestsOf(
  flavor: Pick<Flavor, 'extraSpecs'>,
  aliases: ReadonlyMap<string, PciAlias>,
): readonly PciRequest[] {
  const text = flavor.extraSpecs['pci_passthrough:alias'] ?? '';
  if (text.trim() === '') return [];
  const requests = text.split(',').map((part) => {
    const [, name = '', count = ''] = /^\s*(.+?)\s*:\s*(\d{1,3})\s*$/.exec(part) ?? [];
    if (name === '' || Number(count) < 1)
      throw new ComputeError(
        'PciInvalidAlias',
        `The extra spec pci_passthrough:alias=${text} has to be name:count[,name:count…].`,
      );
    const alias = aliases.get(name);
    if (alias === undefined)
      throw new ComputeError('PciRequestAliasNotDefined', `PCI alias ${name} is not defined`);
    return { aliasName: name, count: Number(count), specs: alias.specs };
  });
  if (requests.reduce((sum, { count }) => sum + count, 0) > MOST_DEVICES)
    throw new ComputeError(
      'PciInvalidAlias',
      `The extra spec pci_passthrough:alias=${text} asks for more than ${MOST_DEVICES} devices.`,
    );
  return requests;
}
