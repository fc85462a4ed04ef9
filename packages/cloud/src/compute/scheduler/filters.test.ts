import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodeReport } from '../testing/bench.js';
import { matchesSpec, missingCapability } from './capabilities.js';
import { FILTERS, FORCED_FILTERS } from './filters.js';
import type { HostState, SchedulingRequest } from './host-state.js';
import { canonicalImage } from './image-properties.js';
import { candidateQuery, checkTraits, flavorResources } from './resources.js';
import { filterHosts, weigh } from './scheduler.js';
import { compareVersions, hypervisorVersion, parseVersionPredicate, satisfies } from './version-predicate.js';

const flavor = {
  flavorId: '1',
  name: 'm1.tiny',
  vcpus: 1,
  memoryMb: 512,
  rootGb: 1,
  ephemeralGb: 0,
  swapMb: 0,
  extraSpecs: {},
};

const host = (
  name: string,
  changes: Partial<HostState> = {},
  node: Partial<HostState['node']> = {},
): HostState => ({
  host: name,
  node: { ...nodeReport(name), id: 1, ...node },
  availabilityZone: 'nova',
  up: true,
  disabled: false,
  disabledReason: null,
  forcedDown: false,
  freePciDevices: [],
  ...changes,
});

const request = (
  changes: Partial<SchedulingRequest> = {},
  properties: Record<string, string> = {},
): SchedulingRequest => ({
  flavor,
  image: canonicalImage(properties),
  availabilityZone: null,
  requestedHost: null,
  requestedNode: null,
  excludedHosts: [],
  pciRequests: [],
  hints: {},
  hostsOfServers: new Map(),
  ...changes,
});

/** Name of the filter that removes the host, or null. */
const removedBy = (one: HostState, wanted: SchedulingRequest, filters = FILTERS): string | null =>
  filterHosts([one], wanted, filters).removals[0]?.filter ?? null;

const pci = (address: string, productId: string) => ({
  address,
  vendorId: '1234',
  productId,
  devType: 'type-PCI',
  tags: {},
});
const ask = (aliasName: string, count: number, productId?: string) => ({
  aliasName,
  count,
  specs: [
    { devType: 'type-PCI' as const, vendorId: '1234', ...(productId === undefined ? {} : { productId }) },
  ],
});

describe('PciPassthroughFilter', () => {
  const two = host('two', { freePciDevices: [pci('0000:03:00.0', '11e8'), pci('0000:04:00.0', '0005')] });

  it('lets pass what asks for nothing, and hosts that have enough', () => {
    expect(removedBy(host('none'), request())).toBeNull();
    expect(removedBy(two, request({ pciRequests: [ask('any', 2)] }))).toBeNull();
  });
  it('finds the choice that serves a wide and a narrow request at once', () => {
    expect(removedBy(two, request({ pciRequests: [ask('any', 1), ask('edu', 1, '11e8')] }))).toBeNull();
  });
  it('removes hosts that have too few, and says what they have', () => {
    const wanted = request({ pciRequests: [ask('edu', 2, '11e8')] });
    const [removal] = filterHosts([two], wanted, FILTERS).removals;
    expect(removal).toMatchObject({ filter: 'PciPassthroughFilter' });
    expect(removal?.reason).toMatch(/edu:2.*1234:11e8, 1234:0005/);
  });
});

describe('filters', () => {
  const old = host('old', {}, { hypervisorVersion: 6003 });
  const recent = host('new', {}, { hypervisorVersion: 10_000 });

  it.each([
    ['a host that is up', host('a'), request(), null],
    ['a disabled one', host('a', { disabled: true }), request(), 'ComputeFilter'],
    ['one forced down', host('a', { forcedDown: true }), request(), 'ComputeFilter'],
    ['one that is silent', host('a', { up: false }), request(), 'ComputeFilter'],
    ['the zone', host('a'), request({ availabilityZone: 'nova' }), null],
    ['another zone', host('a'), request({ availabilityZone: 'mars' }), 'AvailabilityZoneFilter'],
    ['the host named', host('a'), request({ requestedHost: 'a' }), null],
    ['another host', host('a'), request({ requestedHost: 'b' }), 'RequestedHost'],
    ['another node', host('a'), request({ requestedNode: 'b' }), 'RequestedHost'],
    ['a host that failed', host('a'), request({ excludedHosts: ['a'] }), 'RetryFilter'],
    ['its hypervisor', host('a'), request({}, { hypervisor_type: 'hyperv' }), null],
    ['its hypervisor by the new name', host('a'), request({}, { img_hv_type: 'HyperV' }), null],
    ['another hypervisor', host('a'), request({}, { hypervisor_type: 'qemu' }), 'ImagePropertiesFilter'],
    ['its architecture', host('a'), request({}, { architecture: 'amd64' }), null],
    ['another architecture', host('a'), request({}, { hw_architecture: 'aarch64' }), 'ImagePropertiesFilter'],
    ['its mode', host('a'), request({}, { vm_mode: 'hv' }), null],
    ['another mode', host('a'), request({}, { vm_mode: 'uml' }), 'ImagePropertiesFilter'],
    [
      'nothing supported',
      host('a', {}, { supportedInstances: [] }),
      request({}, { hypervisor_type: 'hyperv' }),
      'ImagePropertiesFilter',
    ],
    ['nothing asked of it', host('a', {}, { supportedInstances: [] }), request(), null],
    ['6.3 for >=6.3', old, request({}, { hypervisor_version_requires: '>=6.3' }), null],
    ['6.3 for >=10.0', old, request({}, { hypervisor_version_requires: '>=10.0' }), 'ImagePropertiesFilter'],
    ['10.0 for >=10.0', recent, request({}, { hypervisor_version_requires: '>=10.0' }), null],
    [
      '10.0 for >=6.3, which letters would refuse',
      recent,
      request({}, { hypervisor_version_requires: '>=6.3' }),
      null,
    ],
    ['10.0 for a range', recent, request({}, { img_hv_requested_version: '>=6.3, <10.1' }), null],
    [
      '10.0 for below 10',
      recent,
      request({}, { hypervisor_type: 'hyperv', hypervisor_version_requires: '<10' }),
      'ImagePropertiesFilter',
    ],
    [
      'a capability',
      host('a'),
      request({ flavor: { ...flavor, extraSpecs: { 'capabilities:hypervisor_version': '>= 6003' } } }),
      null,
    ],
    [
      'no capability',
      host('a'),
      request({ flavor: { ...flavor, extraSpecs: { 'capabilities:vcpus_total': '>= 9' } } }),
      'ComputeCapabilitiesFilter',
    ],
    [
      'same_host',
      host('a'),
      request({ hints: { same_host: 'u' }, hostsOfServers: new Map([['u', 'a']]) }),
      null,
    ],
    [
      'not same_host',
      host('b'),
      request({ hints: { same_host: ['u'] }, hostsOfServers: new Map([['u', 'a']]) }),
      'SameHostFilter',
    ],
    [
      'different_host',
      host('a'),
      request({ hints: { different_host: ['u'] }, hostsOfServers: new Map([['u', 'a']]) }),
      'DifferentHostFilter',
    ],
  ])('%s', (_, one, wanted, removed) => {
    expect(removedBy(one, wanted)).toBe(removed);
  });

  it('a forced host passes what is not about its being up', () => {
    const wanted = request({ availabilityZone: 'mars' }, { hypervisor_type: 'qemu' });
    expect(removedBy(host('a'), wanted, FORCED_FILTERS)).toBe(null);
    expect(removedBy(host('a', { up: false }), wanted, FORCED_FILTERS)).toBe('ComputeFilter');
  });

  it('say of every host which filter removed it, and why', () => {
    const hosts = [host('a', { disabled: true, disabledReason: 'new disks' }), old];
    const result = filterHosts(hosts, request({}, { hypervisor_version_requires: '>=10.0' }), FILTERS);
    expect(result.passed).toEqual([]);
    expect(result.last?.name).toBe('ImagePropertiesFilter');
    expect(result.removals).toEqual([
      { host: 'a', filter: 'ComputeFilter', reason: 'its compute service is disabled: new disks' },
      {
        host: 'old',
        filter: 'ImagePropertiesFilter',
        reason: 'the image asks for hypervisor version >=10.0, it is 6.3',
      },
    ]);
    expect(result.last?.advice(request({}, { hypervisor_version_requires: '>=10.0' }))).toBe(
      'The image asks for hypervisor version >=10.0: no host that is up has it.',
    );
  });
});

describe('versions', () => {
  it.each([
    [6002, [6, 2]],
    [6003, [6, 3]],
    [10_000, [10, 0]],
    [2_008_001, [2, 8, 1]],
    [0, []],
  ])('%d of a host is %j', (number, version) => {
    expect(hypervisorVersion(number)).toEqual(version);
  });

  it.each(['', '6.3', '>=', '>= six', '=>6', '>=6.3,', '~6', '>=1.1.1.1.1.1.1.1.1', `>=${'1'.repeat(300)}`])(
    'refuses %j',
    (text) => {
      expect(() => parseVersionPredicate(text)).toThrow(/is not a version requirement/);
    },
  );

  it('holds for == of itself, and order is total', () => {
    const version = fc.array(fc.nat(20_000), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(version, version, (a, b) => {
        expect(satisfies(a, parseVersionPredicate(`==${a.join('.')}`))).toBe(true);
        expect(satisfies(a, parseVersionPredicate(`<${b.join('.')}`))).toBe(compareVersions(a, b) < 0);
        expect(satisfies(a, parseVersionPredicate(`>=${b.join('.')}`))).toBe(compareVersions(a, b) >= 0);
        expect(Math.sign(compareVersions(a, b))).toBe(0 - Math.sign(compareVersions(b, a)));
      }),
    );
  });

  it('never fails but with its own error', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseVersionPredicate(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'VERSION_PREDICATE_INVALID' });
        }
      }),
    );
  });
});

const choice = (name: string, free: number) => ({
  host: host(name),
  candidate: { providerUuid: name, free: { MEMORY_MB: free } },
});

describe('weighing', () => {
  it('prefers free memory and shares among equals', () => {
    const choices = [choice('small', 1), choice('a', 5), choice('b', 5)];
    const order = (random: () => number): readonly string[] =>
      weigh(choices, random).map((one) => one.host.host);
    let next = 0;
    expect(order(() => (next += 1))).toEqual(['a', 'b', 'small']);
    expect(order(() => (next -= 1))).toEqual(['b', 'a', 'small']);
  });
});

describe('resources', () => {
  it('are what the flavor takes', () => {
    expect(flavorResources({ ...flavor, rootGb: 10, ephemeralGb: 5, swapMb: 1025 })).toEqual({
      VCPU: 1,
      MEMORY_MB: 512,
      DISK_GB: 17,
    });
    expect(flavorResources({ ...flavor, rootGb: 0 })).toEqual({ VCPU: 1, MEMORY_MB: 512 });
    expect(
      flavorResources({ ...flavor, extraSpecs: { 'resources:VCPU': '0', 'resources:CUSTOM_GPU': '2' } }),
    ).toEqual({
      MEMORY_MB: 512,
      DISK_GB: 1,
      CUSTOM_GPU: 2,
    });
  });
  it('come with the traits of flavor and image', () => {
    const extraSpecs = { 'trait:COMPUTE_SECURITY_TPM_2_0': 'required' };
    expect(candidateQuery({ ...flavor, extraSpecs }, { 'trait:CUSTOM_SLOW': 'forbidden' })).toMatchObject({
      requiredTraits: ['COMPUTE_SECURITY_TPM_2_0'],
      forbiddenTraits: ['CUSTOM_SLOW'],
    });
    const secure = candidateQuery({ ...flavor, extraSpecs: { 'os:secure_boot': 'required' } }, {});
    expect(secure.requiredTraits).toEqual(['COMPUTE_SECURITY_UEFI_SECURE_BOOT']);
    expect(candidateQuery(flavor, { os_secure_boot: 'required' })).toMatchObject(secure);
    expect(candidateQuery(flavor, { os_secure_boot: 'optional' }).requiredTraits).toEqual([]);
    expect(() => checkTraits({ 'trait:CUSTOM_A': 'required' }, { 'trait:CUSTOM_A': 'forbidden' })).toThrow(
      /at once/,
    );
    expect(() => checkTraits({ 'trait:x y': 'required' }, {})).toThrow(/does not name a trait/);
  });
});

describe('capabilities', () => {
  it.each([
    ['10', '>= 9', true],
    ['8', '>= 9', false],
    ['8', '= 8', true],
    ['8', '<= 7', false],
    ['hyperv', 's== hyperv', true],
    ['hyperv', '<in> per', true],
    ['hyperv', '<or> kvm <or> hyperv', true],
    ['hyperv', '<or> kvm <or> xen', false],
    ['hyperv', 'hyperv', true],
    ['hyperv', 'kvm', false],
  ])('%s against %s', (fact, wanted, holds) => {
    expect(matchesSpec(fact, wanted)).toBe(holds);
  });
  it('that no host reports are missing; bare keys are no capabilities', () => {
    const node = { ...nodeReport('a'), id: 1 };
    expect(missingCapability({ 'capabilities:colour': 'red' }, node)).toContain('no host reports');
    expect(missingCapability({ colour: 'red', 'hw:numa_nodes': '2' }, node)).toBe(null);
  });
});
