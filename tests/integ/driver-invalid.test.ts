import { DriverError } from '@nova-hyperv/driver';
import type { Flavor, ImageMeta, VirtDriver } from '@nova-hyperv/driver';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  diskImage,
  filesLeft,
  spawnRequest,
  startTestHost,
  testImage,
  testInstance,
} from '../support/driver-host.js';
import type { FileImages, TestHost } from '../support/driver-host.js';

/** One thing that cannot be had, whatever else is asked for. */
type Fault =
  | { readonly property: readonly [string, string] }
  | { readonly extraSpec: readonly [string, string] }
  | { readonly flavor: Partial<Flavor> }
  | { readonly image: Partial<ImageMeta> };

const word = fc.stringMatching(/^[a-z][a-z0-9]{2,11}$/);
const notAnInteger = word;
const isKnown = (...known: readonly string[]) => {
  const set = new Set(known);
  return (value: string) => set.has(value);
};
const unknown = (...known: readonly string[]) => word.filter((value) => !isKnown(...known)(value));
const property = (name: string, value: fc.Arbitrary<string>): fc.Arbitrary<Fault> =>
  value.map((text) => ({ property: [name, text] as const }));
const extraSpec = (name: string, value: fc.Arbitrary<string>): fc.Arbitrary<Fault> =>
  value.map((text) => ({ extraSpec: [name, text] as const }));

const faults: fc.Arbitrary<Fault> = fc.oneof(
  property('hw_machine_type', unknown('hyperv-gen1', 'hyperv-gen2')),
  property('os_secure_boot', unknown('required', 'optional', 'disabled')),
  property('interactive_serial_port', fc.integer({ min: 3, max: 99 }).map(String)),
  property('logging_serial_port', word),
  property('hw_tpm_version', fc.constantFrom('1.2', '2.0')),
  extraSpec('os:secure_boot', fc.constant('required')),
  extraSpec('hw:numa_nodes', fc.integer({ min: -9, max: 0 }).map(String)),
  extraSpec('hw:cpu_policy', fc.constant('dedicated')),
  extraSpec('quota:cpu_limit', notAnInteger),
  extraSpec('quota:disk_total_iops_sec', notAnInteger),
  extraSpec('quota:disk_total_bytes_sec', fc.integer({ min: -1000, max: -1 }).map(String)),
  extraSpec('os:resolution', word),
  extraSpec(
    'pci_passthrough:alias',
    word.map((name) => `${name}:1`),
  ),
  fc.record({ vcpus: fc.integer({ min: 2049, max: 9999 }) }).map((flavor) => ({ flavor })),
  fc
    .record({ memoryMb: fc.integer({ min: 32, max: 2048 }).map((half) => 2 * half + 1) })
    .map((flavor) => ({ flavor })),
  fc.record({ memoryMb: fc.integer({ min: 0, max: 31 }) }).map((flavor) => ({ flavor })),
  fc.record({ swapMb: fc.integer({ min: 1, max: 4096 }) }).map((flavor) => ({ flavor })),
  fc.record({ diskFormat: fc.constantFrom('raw', 'qcow2', 'vmdk', 'ami') }).map((image) => ({ image })),
);

const requests = fc.record({
  generation: fc.constantFrom(1 as const, 2 as const),
  memoryMb: fc.integer({ min: 32, max: 2048 }).map((half) => 2 * half),
  vcpus: fc.integer({ min: 1, max: 4 }),
  rootGb: fc.integer({ min: 0, max: 3 }),
  faults: fc.array(faults, { minLength: 1, maxLength: 3 }),
});

let test: TestHost;
let driver: VirtDriver;
let images: FileImages;
const changes: string[] = [];

beforeAll(async () => {
  test = await startTestHost();
  images = await diskImage(test.folder, 'vhdx');
  ({ driver } = await test.connect(
    (client) =>
      new Proxy(client, {
        get(target, key) {
          const value: unknown = Reflect.get(target, key, target);
          if (typeof value !== 'function') return value;
          return (...given: unknown[]) => {
            if (key === 'invoke') changes.push(String(given[1]));
            return value.apply(target, given) as unknown;
          };
        },
      }),
  ));
});

afterAll(async () => {
  await test.close();
});

it('a request that cannot be had is refused before the host hears of it, and costs no download', async () => {
  const before = await filesLeft(test.instances);
  const exceptions = new Set<string>();
  changes.length = 0;
  await fc.assert(
    fc.asyncProperty(requests, async ({ generation, faults: wrong, ...size }) => {
      const flavor = Object.assign(
        {},
        size,
        ...wrong.map((fault) => ('flavor' in fault ? fault.flavor : {})),
      ) as Partial<Flavor>;
      const extraSpecs = Object.fromEntries(
        wrong.flatMap((fault) => ('extraSpec' in fault ? [fault.extraSpec] : [])),
      );
      const properties = Object.fromEntries(
        wrong.flatMap((fault) => ('property' in fault ? [fault.property] : [])),
      );
      const good = testImage(generation);
      const changed = Object.assign(
        {},
        ...wrong.map((fault) => ('image' in fault ? fault.image : {})),
      ) as Partial<ImageMeta>;
      const image = { ...good, ...changed, properties: { ...good.properties, ...properties } };
      const instance = testInstance(1, { ...flavor, extraSpecs });
      const error: unknown = await driver.spawn(spawnRequest(images, { generation, image, instance })).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(DriverError);
      if (error instanceof DriverError) exceptions.add(error.novaName);
    }),
    { numRuns: 300 },
  );
  expect(changes).toEqual([]);
  expect(images.downloads).toBe(0);
  expect(await test.host.machines.findByName('instance-00000001')).toEqual([]);
  expect(await filesLeft(test.instances)).toEqual(before);
  expect(exceptions.size).toBeGreaterThan(4);
});
