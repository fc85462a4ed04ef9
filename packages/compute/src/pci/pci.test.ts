import type { PciDevice } from '@nova-hyperv/driver';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { instanceRecord } from '../testing/records.js';
import { parseAliases, pciRequestsOf } from './alias.js';
import { assignDevices, settledDevices } from './assign.js';
import { parseDeviceSpecs } from './device-spec.js';
import { PciTracker } from './pci-tracker.js';

const EDU = '{"name": "edu", "vendor_id": "1234", "product_id": "11E8"}';
const ANY = '{"name": "any", "vendor_id": "1234"}';

const device = (bus: number, productId = '11e8'): PciDevice => ({
  address: `0000:0${bus}:00.0`,
  vendorId: '1234',
  productId,
  devType: 'type-PCI',
  devId: '',
  label: '',
  numaNode: null,
});
const flavor = (alias: string) => ({
  ...instanceRecord().flavor,
  extraSpecs: { 'pci_passthrough:alias': alias },
});
const matches = (spec: object, one = device(3)): boolean =>
  parseDeviceSpecs([JSON.stringify(spec)]).some((entry) => entry.matches(one));

describe('[pci] alias', () => {
  it('makes several of one name several ways to serve it', () => {
    const aliases = parseAliases([EDU, '[{"name": "edu", "vendor_id": "1b36"}]']);
    expect(pciRequestsOf(flavor('edu:2'), aliases)).toEqual([
      {
        aliasName: 'edu',
        count: 2,
        specs: [
          { devType: 'type-PCI', vendorId: '1234', productId: '11e8' },
          { devType: 'type-PCI', vendorId: '1b36' },
        ],
      },
    ]);
  });

  it.each([
    ['no JSON', '{', /no JSON/],
    ['no name', '{}', /name is needed/],
    ['an unknown key', '{"name": "a", "adress": "x"}', /adress/],
    ['an odd vendor', '{"name": "a", "vendor_id": "8"}', /four hexadecimal/],
    ['an unknown type', '{"name": "a", "device_type": "NIC"}', /type-PCI/],
    ['a capability that is not pci', '{"name": "a", "capability_type": "usb"}', /capability_type/],
  ])('refuses %s', (_what, text, message) => {
    expect(() => parseAliases([text])).toThrow(message);
  });

  it('refuses two of one name that differ in type', () => {
    expect(() => parseAliases([EDU, '{"name": "edu", "device_type": "type-VF"}'])).toThrow(/mismatch/);
  });
});

describe('pci_passthrough:alias', () => {
  const aliases = parseAliases([EDU, ANY]);
  it('names several aliases, with blanks', () => {
    expect(pciRequestsOf(flavor(' edu:1, any:2 '), aliases).map(({ count }) => count)).toEqual([1, 2]);
    expect(pciRequestsOf(flavor(''), aliases)).toEqual([]);
  });
  it.each([
    ['gpu:1', /PCI alias gpu is not defined/],
    ['edu', /name:count/],
    ['edu:0', /name:count/],
    ['edu:1,', /name:count/],
    ['edu:33', /more than 32/],
  ])('refuses %j', (text, message) => {
    expect(() => pciRequestsOf(flavor(text), aliases)).toThrow(message);
  });
});

describe('[pci] device_spec', () => {
  it.each([
    [{ vendor_id: '1234', product_id: '11E8' }, true],
    [{ vendor_id: '0x1234' }, true],
    [{ vendor_id: '*', product_id: '*' }, true],
    [{ vendor_id: '8086' }, false],
    [{ address: '0000:03:00.0' }, true],
    [{ address: '0000:04:00.0' }, false],
    [{ address: '*:03:00.*' }, true],
    [{ address: ':03:' }, true],
    [{ address: '03:*.0' }, true],
    [{ address: '03:00.1' }, false],
    [{ address: { domain: '.*', bus: '0[23]', slot: '00', function: '[0-1]' } }, true],
    [{ address: { bus: '0[45]' } }, false],
  ])('%j → %s', (spec, expected) => {
    expect(matches(spec)).toBe(expected);
  });

  it('takes other keys as tags', () => {
    const [spec] = parseDeviceSpecs(['{"vendor_id": "1234", "physical_network": null, "trusted": true}']);
    expect(spec?.tags).toEqual({ physical_network: '', trusted: 'true' });
  });

  it.each([
    ['{', /no JSON/],
    ['[1]', /no object/],
    ['{"vendor_id": "12345"}', /vendor_id/],
    ['{"address": "0000:03:00.9"}', /address is/],
    ['{"address": "1:2:3:4.0"}', /address is/],
    ['{"address": {"bus": "(0*)*"}}', /bus/],
    ['{"devname": "eth0"}', /devname is not served/],
    ['{"resource_class": "GPU"}', /resource_class is not served/],
  ])('refuses %s', (text, message) => {
    expect(() => parseDeviceSpecs([text])).toThrow(message);
  });
});

describe('assigning', () => {
  it('gives no device twice, and each one that fits, whenever there is a way', () => {
    const products = fc.constantFrom('0001', '0002', '0003');
    fc.assert(
      fc.property(
        fc.array(products, { maxLength: 6 }),
        fc.array(fc.array(products), { maxLength: 6 }),
        (have, want) => {
          const free = have.map((productId, index) => ({ ...device(index, productId), tags: {} }));
          const requests = want.map((specs, index) => ({
            aliasName: `${index}`,
            count: 1,
            specs: specs.map((productId) => ({ devType: 'type-PCI' as const, productId })),
          }));
          const given = assignDevices(free, requests);
          expect(given !== undefined).toBe(isPossible(have, want));
          if (given === undefined) return;
          expect(new Set(given.map(({ address }) => address)).size).toBe(want.length);
          for (const one of given) expect(want[Number(one.aliasName)]).toContain(one.productId);
        },
      ),
    );
  });
});

/** By trying everything. */
function isPossible(have: readonly string[], [first, ...rest]: readonly (readonly string[])[]): boolean {
  if (first === undefined) return true;
  return have.some(
    (product, index) =>
      first.includes(product) && isPossible([...have.slice(0, index), ...have.slice(index + 1)], rest),
  );
}

const tracker = () => {
  const made = new PciTracker({ pciDeviceSpec: ['{"vendor_id": "1234"}'], pciAlias: [EDU, ANY] });
  made.setDevices([device(4), device(3), { ...device(5), vendorId: '8086' }]);
  return made;
};

describe('the tracker', () => {
  it('offers what device_spec names, and gives each device to one instance', () => {
    const pci = tracker();
    expect(pci.offered().map(({ address }) => address)).toEqual(['0000:03:00.0', '0000:04:00.0']);
    expect(pci.claim('a', flavor('edu:1'))[0]?.address).toBe('0000:03:00.0');
    expect(pci.claim('b', flavor('any:1'))[0]?.address).toBe('0000:04:00.0');
    expect(() => pci.claim('c', flavor('edu:1'))).toThrow(/0 of the 2 devices/);
    pci.release('a');
    expect(pci.claim('c', flavor('edu:1'))).toMatchObject([{ address: '0000:03:00.0', aliasName: 'edu' }]);
  });

  it('leaves an instance what it has when it asks anew, and remembers what the store says', () => {
    const pci = tracker();
    const held = { address: '0000:04:00.0', vendorId: '1234', productId: '11e8', aliasName: 'edu' };
    pci.remember({ uuid: 'a', pciDevices: [held] });
    expect(pci.claim('a', flavor('edu:1'))[0]?.address).toBe('0000:04:00.0');
    expect(pci.claim('a', flavor('edu:2'))).toHaveLength(2);
    expect(pci.claim('a', flavor(''))).toEqual([]);
    expect(pci.claim('b', flavor('edu:2'))).toHaveLength(2);
  });

  it('holds for both flavors while a resize is not settled', () => {
    const pci = tracker();
    pci.remember({ uuid: 'a', pciDevices: pci.claim('a', flavor('edu:1')) });
    const both = pci.claimResize('a', flavor('edu:2'));
    expect(both.map(({ address, only }) => [address, only])).toEqual([
      ['0000:03:00.0', undefined],
      ['0000:04:00.0', 'new'],
    ]);
    expect(settledDevices(both, 'old')).toHaveLength(1);
    expect(settledDevices(both, 'new')).toHaveLength(2);
    expect(() => pci.claim('b', flavor('edu:1'))).toThrow(/0 of the 2/);
    pci.remember({ uuid: 'a', pciDevices: settledDevices(both, 'new') });
    const none = pci.claimResize('a', flavor(''));
    expect(none.map(({ only }) => only)).toEqual(['old', 'old']);
    expect(() => pci.claim('b', flavor('edu:1'))).toThrow(/0 of the 2/);
  });
});
