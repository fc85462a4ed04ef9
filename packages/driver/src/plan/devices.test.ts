import { describe, expect, it } from 'vitest';
import { DEFAULT_CONFIG } from '../config.js';
import { DriverError } from '../errors.js';
import * as make from '../test-support/fixtures.js';
import type { EarlyPlanInput, PlanHostFacts } from './input.js';
import { planEarly } from './plan.js';

const device = (number: number, inUse = false) => ({
  systemName: 'HV1',
  deviceId: `Microsoft:PCIP\\VEN_1234&DEV_11E8\\${number}`,
  instancePath: `PCIP\\VEN_1234&DEV_11E8\\${number}`,
  locationPath: `PCIROOT(0)#PCI(1C0${number})#PCI(0000)`,
  vendorId: '1234',
  productId: '11e8',
  address: `0000:0${number}:00.0`,
  inUse,
});
const FLAVOR = { extraSpecs: { 'pci_passthrough:alias': 'edu:1' } };

function withPci(changes: Partial<EarlyPlanInput> = {}, host: Partial<PlanHostFacts> = {}): EarlyPlanInput {
  return make.earlyInput({
    instance: make.instance({ flavor: make.flavor(FLAVOR), pciDevices: [{ address: '0000:04:00.0' }] }),
    host: make.hostFacts({ pciDevices: [device(3), device(4)], ...host }),
    ...changes,
  });
}

const OLD = { major: 10, minor: 0, build: 17_763 };
const R2 = { major: 6, minor: 3, build: 9600 };
const READY = { hasRole: true, gpuCapable: true, slatCapable: true };

function withVideo(
  extraSpecs: Record<string, string>,
  host: Partial<PlanHostFacts> = {},
  enableRemoteFx = true,
): EarlyPlanInput {
  return make.earlyInput({
    instance: make.instance({ flavor: make.flavor({ extraSpecs }) }),
    host: make.hostFacts({ windowsVersion: OLD, remoteFx: READY, ...host }),
    config: { ...DEFAULT_CONFIG, enableRemoteFx },
  });
}

function refusal(input: EarlyPlanInput): DriverError {
  try {
    planEarly(input);
  } catch (error) {
    if (error instanceof DriverError) return error;
    throw error;
  }
  throw new Error('It was not refused');
}

describe('PCI devices', () => {
  it('are those that were claimed, by the host’s own names', () => {
    const { vm } = planEarly(withPci());
    expect(vm.pciDevices).toEqual([{ systemName: 'HV1', deviceId: device(4).deviceId }]);
  });

  it('force static memory and a stop action that saves nothing', () => {
    const { vm } = planEarly(withPci({ config: { ...DEFAULT_CONFIG, dynamicMemoryRatio: 2 } }));
    expect(vm.memory).toEqual({ dynamic: false, startupMb: 512, minimumMb: 512, maximumMb: 512 });
    expect(vm.automaticShutdown).toBe('shut-down');
  });

  it('that the machine has already are no one else’s', () => {
    const input = withPci(
      { ownPciDevices: [device(4).deviceId] },
      { pciDevices: [device(3), device(4, true)] },
    );
    expect(planEarly(input).vm.pciDevices).toHaveLength(1);
  });

  it.each([
    ['a host before 10.0', withPci({}, { windowsVersion: R2 }), 'InstanceUnacceptable', /2016/],
    ['a device that has left', withPci({}, { pciDevices: [device(3)] }), 'PciDeviceNotFound', /04:00\.0/],
    [
      'a device of another machine',
      withPci({}, { pciDevices: [device(4, true)] }),
      'PciDeviceInvalidStatus',
      /another machine/,
    ],
    [
      'a flavor for which nothing was claimed',
      withPci({ instance: make.instance({ flavor: make.flavor(FLAVOR) }) }),
      'PciDeviceRequestFailed',
      /edu:1/,
    ],
  ])('refuses %s', (_what, input, name, message) => {
    const error = refusal(input);
    expect([error.novaName, error.scope]).toEqual([name, 'host']);
    expect(error.message).toMatch(message);
  });
});

describe('RemoteFX', () => {
  it('is what the flavor says', () => {
    const specs = { 'os:resolution': '1920x1200', 'os:monitors': '4', 'os:vram': '256' };
    expect(planEarly(withVideo(specs)).vm.video).toEqual({
      kind: 'remotefx',
      resolution: 3,
      monitors: 4,
      vramMb: 256,
    });
  });

  it('has one monitor and the host’s video memory unless told otherwise', () => {
    expect(planEarly(withVideo({ 'os:resolution': '1024x768' })).vm.video).toMatchObject({
      monitors: 1,
      vramMb: null,
    });
  });

  it('leaves video memory to hosts before 10.0, whatever the flavor says', () => {
    const specs = { 'os:resolution': '1024x768', 'os:vram': '64' };
    const input = { ...withVideo(specs, { windowsVersion: R2 }), image: make.image({ properties: {} }) };
    expect(planEarly(input).vm.video).toMatchObject({ vramMb: null });
  });

  it('is not asked for by an empty value', () => {
    expect(planEarly(withVideo({ 'os:resolution': '' })).vm.video).toEqual({ kind: 'synthetic' });
  });

  const wanted = { 'os:resolution': '1600x1200' };
  it.each([
    ['a host that never had it', wanted, { windowsVersion: { ...OLD, build: 20_348 } }, /Discrete Device/],
    ['a host without the role', wanted, { remoteFx: { ...READY, hasRole: false } }, /RDS-Virtualization/],
    ['a host without a GPU', wanted, { remoteFx: { ...READY, gpuCapable: false } }, /DirectX 11/],
    ['a host without SLAT', wanted, { remoteFx: { ...READY, slatCapable: false } }, /second level/],
    ['generation 2 before 10.0', wanted, { windowsVersion: R2 }, /generation 1 only/],
    ['an unknown resolution', { 'os:resolution': '800x600' }, {}, /1024x768, 1280x1024/],
    ['too many monitors', { ...wanted, 'os:monitors': '5' }, {}, /1 to 4/],
    ['no monitor', { ...wanted, 'os:monitors': '0' }, {}, /1 to 4/],
    ['monitors that are no number', { ...wanted, 'os:monitors': 'two' }, {}, /no whole number/],
    ['odd video memory', { ...wanted, 'os:vram': '100' }, {}, /64, 128, 256, 512, 1024/],
    ['monitors without a resolution', { 'os:monitors': '2' }, {}, /no os:resolution/],
  ] as const)('refuses %s', (_what, specs, host, message) => {
    const error = refusal(withVideo(specs, host));
    expect(error.novaName).toBe('InstanceUnacceptable');
    expect(error.message).toMatch(message);
  });

  it('refuses what the configuration does not enable, and 4K before 10.0', () => {
    expect(refusal(withVideo(wanted, {}, false)).message).toMatch(/enable_remotefx/);
    const input = withVideo({ 'os:resolution': '3840x2160' }, { windowsVersion: R2 });
    const error = refusal({ ...input, image: make.image({ properties: {} }) });
    expect([error.scope, error.message]).toEqual(['host', expect.stringMatching(/2560x1600\.$/)]);
  });
});
