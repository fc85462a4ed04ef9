import type { PciDevice } from '@nova-hyperv/driver';
import { ComputeError } from '../errors.js';

/** One entry of [pci] device_spec: which devices of the host instances may have, and the tags that they get. */
export interface DeviceSpec {
  readonly matches: (device: Pick<PciDevice, 'address' | 'vendorId' | 'productId'>) => boolean;
  readonly tags: Readonly<Record<string, string>>;
}

/** Keys that are no tags (nova/pci/devspec.py). */
const RULE_KEYS = new Set(['vendor_id', 'product_id', 'address', 'devname']);
/** Tags that change what Nova does with a device, and mean nothing here. */
const UNSERVED: Readonly<Record<string, string>> = {
  devname:
    'a device that was dismounted from the host is no network interface there any more: name it by its address',
  remote_managed: 'remote-managed ports need a SmartNIC, which this driver does not serve',
  resource_class: 'PCI devices are not reported to Placement here',
  traits: 'PCI devices are not reported to Placement here',
};
/** Parts of an address, and the digits of each. */
const PARTS = ['domain', 'bus', 'slot', 'function'] as const;
const DIGITS = { domain: 4, bus: 2, slot: 2, function: 1 } as const;
const LARGEST = { domain: 0xff_ff, bus: 0xff, slot: 0x1f, function: 7 } as const;

/** @throws ComputeError PciConfigInvalidSpec */
export function parseDeviceSpecs(texts: readonly string[]): readonly DeviceSpec[] {
  return texts.flatMap((text) => {
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch (error) {
      throw invalid(`${text} is no JSON (${error instanceof Error ? error.message : String(error)})`);
    }
    return (Array.isArray(parsed) ? parsed : [parsed]).map((entry) => specOf(entry));
  });
}

function specOf(entry: unknown): DeviceSpec {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry))
    throw invalid(`${JSON.stringify(entry)} is no object`);
  const rules = new Map(Object.entries(entry));
  for (const [key, why] of Object.entries(UNSERVED))
    if (rules.has(key)) throw invalid(`${key} is not served: ${why}`);
  const vendor = idRule('vendor_id', rules.get('vendor_id'));
  const product = idRule('product_id', rules.get('product_id'));
  const address = addressRule(rules.get('address'));
  const tags = [...rules].filter(([key]) => !RULE_KEYS.has(key));
  return {
    matches: (device) => vendor(device.vendorId) && product(device.productId) && address(device.address),
    tags: Object.fromEntries(tags.map(([key, value]) => [key, tagText(key, value)])),
  };
}

function tagText(key: string, value: unknown): string {
  if (value === null) return '';
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number')
    return String(value);
  throw invalid(`the tag ${key} has to be a text`);
}

function idRule(key: string, value: unknown): (id: string) => boolean {
  if (value === undefined || value === '*') return () => true;
  // Some write `0x8086`.
  const digits = typeof value === 'string' ? /^(?:0x)?([\da-f]{1,4})$/i.exec(value)?.[1] : undefined;
  if (digits === undefined)
    throw invalid(`${key} is ${JSON.stringify(value)}; it has to be at most ffff, in hexadecimal, or *`);
  const wanted = digits.toLowerCase().padStart(4, '0');
  return (id) => id.toLowerCase() === wanted;
}

/** `0000:0a:00.1`, with `*` for parts, in short `:0a:00.1` or `0a:00.1`; or an object of regular expressions for each part. */
function addressRule(value: unknown): (address: string) => boolean {
  if (value === undefined || value === '' || value === '*') return () => true;
  const rules = typeof value === 'string' ? globRules(value) : regexRules(value);
  return (address) => {
    const [, domain, bus, slot, part] =
      /^([\da-f]{4}):([\da-f]{2}):([\da-f]{2})\.([\da-f])$/i.exec(address) ?? [];
    const parts = { domain, bus, slot, function: part };
    return PARTS.every((name) => {
      const text = parts[name];
      return text !== undefined && rules[name](text.toLowerCase());
    });
  };
}

type PartRules = Readonly<Record<(typeof PARTS)[number], (text: string) => boolean>>;

function globRules(text: string): PartRules {
  const [place = '', part = '*', ...more] = text.split('.');
  const places = place.split(':');
  const [slot = '*', bus = '*', domain = '*', ...rest] = places.toReversed();
  if (more.length > 0 || rest.length > 0) throw wrongAddress(text);
  const written = { domain, bus, slot, function: part };
  const one = (name: (typeof PARTS)[number]): ((found: string) => boolean) => {
    const wanted = written[name].trim();
    if (wanted === '*' || wanted === '') return () => true;
    const number = /^[\da-f]{1,4}$/i.test(wanted) ? Number.parseInt(wanted, 16) : Number.NaN;
    if (!(number <= LARGEST[name])) throw wrongAddress(text);
    return (found) => Number.parseInt(found, 16) === number;
  };
  return { domain: one('domain'), bus: one('bus'), slot: one('slot'), function: one('function') };
}

function regexRules(value: unknown): PartRules {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrongAddress(JSON.stringify(value));
  const written = new Map(Object.entries(value));
  const unknown = [...written.keys()].find((key) => !PARTS.some((name) => name === key));
  if (unknown !== undefined) throw invalid(`an address has no part ${unknown}: ${PARTS.join(', ')}`);
  const one = (name: (typeof PARTS)[number]): ((found: string) => boolean) => {
    const pattern: unknown = written.get(name);
    if (pattern === undefined) return () => true;
    const safe =
      typeof pattern === 'string' && pattern.length <= 64 && /^[\da-fA-F.[\]\-|*?^$()]*$/.test(pattern);
    // Nested repetition could take for ever; no part of an address needs it.
    if (!safe || /\)[*?]/.test(pattern))
      throw invalid(`${name}: ${JSON.stringify(pattern)} is no pattern of ${DIGITS[name]} digits`);
    try {
      // As Python's re.match: from the start.
      const regex = new RegExp(`^(?:${pattern})`, 'i');
      return (found) => regex.test(found);
    } catch {
      throw invalid(`${name}: ${JSON.stringify(pattern)} is no regular expression`);
    }
  };
  return { domain: one('domain'), bus: one('bus'), slot: one('slot'), function: one('function') };
}

function wrongAddress(text: string): ComputeError {
  return invalid(`address is ${text}; it has to be like 0000:0a:00.1, with * for parts that may be anything`);
}

function invalid(reason: string): ComputeError {
  return new ComputeError('PciConfigInvalidSpec', `Invalid [pci]device_spec config: ${reason}.`);
}
