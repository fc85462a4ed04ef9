import { describe, expect, it } from 'vitest';
import { DEFAULT_CONFIG } from '../config.js';
import type { Vif } from '../types.js';
import * as make from '../test-support/fixtures.js';
import { planEarly } from './plan.js';

const withSpecs = (extraSpecs: Record<string, string>, changes: Parameters<typeof make.earlyInput>[0] = {}) =>
  make.earlyInput({
    instance: make.instance({ flavor: make.flavor({ vcpus: 2, memoryMb: 2048, extraSpecs }) }),
    ...changes,
  });
const NESTED = { 'hw:cpu_features': 'vmx' };

const spoofing = (extraSpecs: Record<string, string>, vif: Partial<Vif>) =>
  planEarly(withSpecs(extraSpecs, { vifs: [make.vif(1, vif)] })).vm.nics[0]?.macSpoofing;

const limits = (extraSpecs: Record<string, string>) => {
  const { limit, reservation, weight } = planEarly(withSpecs(extraSpecs)).vm.processors;
  return [limit, reservation, weight];
};

const disks = (extraSpecs: Record<string, string>) => {
  const { instance } = withSpecs(extraSpecs);
  const flavor = { ...instance.flavor, ephemeralGb: 1 };
  return make.plannedDrives({ instance: { ...instance, flavor } }).map((drive) => drive.iopsLimit);
};

describe('nested virtualization', () => {
  it.each([
    [{ 'hw:cpu_features': 'vmx' }, {}],
    [{ 'hw:cpu_features': 'sse2 , VMX ' }, {}],
    [{}, { hw_cpu_features: 'sse2, vmx' }],
  ])('is asked for by %j %j', (flavor, image) => {
    const input = withSpecs(flavor, {
      image: make.image({ properties: { hw_machine_type: 'hyperv-gen2', ...image } }),
      config: { ...DEFAULT_CONFIG, dynamicMemoryRatio: 2 },
    });
    const { vm } = planEarly(input);
    expect(vm.processors.nestedVirtualization).toBe(true);
    expect(vm.memory).toMatchObject({ dynamic: false, startupMb: 2048 });
  });

  it('is not asked for by other features', () => {
    expect(planEarly(withSpecs({ 'hw:cpu_features': 'svmx,sse2' })).vm.processors.nestedVirtualization).toBe(
      false,
    );
  });

  it.each([
    [{ windowsVersion: { major: 6, minor: 3, build: 9600 } }, /2016.*hypervisor_version_requires/],
    [{ clustered: true }, /failover cluster.*availability zone/],
  ])('is refused on a host with %j', (host, message) => {
    expect(() => planEarly(withSpecs(NESTED, { host: make.hostFacts(host) }))).toThrow(message);
  });

  it('does not trouble other instances of such hosts', () => {
    const input = withSpecs({}, { host: make.hostFacts({ clustered: true }) });
    expect(planEarly(input).vm.processors.nestedVirtualization).toBe(false);
  });
});

describe('MAC spoofing', () => {
  it.each<[Record<string, string>, Partial<Vif>, boolean]>([
    [{}, {}, false],
    [{}, { portSecurityEnabled: true, securityGroups: [] }, false],
    [{}, { portSecurityEnabled: false }, true],
    [NESTED, {}, false],
    [NESTED, { portSecurityEnabled: true, securityGroups: ['default'] }, false],
    [NESTED, { portSecurityEnabled: true, securityGroups: [] }, true],
    [NESTED, { portSecurityEnabled: false, securityGroups: [] }, true],
  ])('%j %j → %s', (specs, vif, expected) => {
    expect(spoofing(specs, vif)).toBe(expected);
  });
});

describe('limits of processors', () => {
  // Two vCPUs of 2000 MHz.
  it.each<[Record<string, string>, readonly number[]]>([
    [{}, [100_000, 0, 100]],
    [{ 'quota:cpu_limit': '1000' }, [25_000, 0, 100]],
    [{ 'quota:cpu_limit': '0' }, [100_000, 0, 100]],
    [{ 'quota:cpu_limit': '9999' }, [100_000, 0, 100]],
    [{ 'quota:cpu_reservation': '400' }, [100_000, 10_000, 100]],
    [{ 'quota:cpu_limit': '400', 'quota:cpu_reservation': '400' }, [10_000, 10_000, 100]],
    [{ 'quota:cpu_quota': '50000' }, [50_000, 0, 100]],
    [{ 'quota:cpu_quota': '5000', 'quota:cpu_period': '20000' }, [25_000, 0, 100]],
    [{ 'quota:cpu_quota': '-1' }, [100_000, 0, 100]],
    [{ 'quota:cpu_shares_level': 'low' }, [100_000, 0, 50]],
    [{ 'quota:cpu_shares_level': 'high', 'quota:cpu_shares_share': '7' }, [100_000, 0, 200]],
    [{ 'quota:cpu_shares_level': 'custom', 'quota:cpu_shares_share': '4000' }, [100_000, 0, 4000]],
    [{ 'quota:cpu_shares': '2048' }, [100_000, 0, 200]],
    [{ 'quota:cpu_shares': '1' }, [100_000, 0, 1]],
  ])('%j → %j', (specs, expected) => {
    expect(limits(specs)).toEqual(expected);
  });

  it.each<[Record<string, string>, RegExp]>([
    [{ 'quota:cpu_limit': 'fast' }, /number from 0/],
    [{ 'quota:cpu_reservation': '-5' }, /number from 0/],
    [{ 'quota:cpu_reservation': '5000' }, /at most 4000 MHz/],
    [{ 'quota:cpu_limit': '1000', 'quota:cpu_reservation': '2000' }, /at most 1000 MHz within the limit/],
    [{ 'quota:cpu_limit': '1000', 'quota:cpu_quota': '1000' }, /remove one/],
    [{ 'quota:cpu_shares_level': 'highest' }, /low, normal, high, custom/],
    [{ 'quota:cpu_shares_level': 'low', 'quota:cpu_shares': '1024' }, /remove one/],
    [{ 'quota:cpu_shares_level': 'custom', 'quota:cpu_shares_share': '10001' }, /1 to 10000/],
  ])('%j is refused', (specs, message) => {
    expect(() => limits(specs)).toThrow(message);
  });
});

describe('limits of disks', () => {
  it.each<[Record<string, string>, number]>([
    [{}, 0],
    [{ 'quota:disk_total_iops_sec': '0', 'quota:disk_total_bytes_sec': '0' }, 0],
    [{ 'quota:disk_total_iops_sec': '500' }, 500],
    [{ 'quota:disk_total_bytes_sec': '8192' }, 1],
    [{ 'quota:disk_total_bytes_sec': '1' }, 1],
    [{ 'quota:disk_total_bytes_sec': '16383' }, 1],
    [{ 'quota:disk_total_bytes_sec': '1048576' }, 128],
    [{ 'quota:disk_total_iops_sec': '50', 'quota:disk_total_bytes_sec': '1048576' }, 50],
  ])('%j → %d for the root and the ephemeral disk', (specs, expected) => {
    expect(disks(specs)).toEqual([expected, expected]);
  });

  it.each<[Record<string, string>, RegExp]>([
    [{ 'quota:disk_total_iops_sec': 'many' }, /whole number/],
    [{ 'quota:disk_total_bytes_sec': '-1' }, /whole number/],
    [{ 'quota:disk_total_iops_sec': '1000000001' }, /largest limit/],
  ])('%j is refused', (specs, message) => {
    expect(() => disks(specs)).toThrow(message);
  });

  it('are refused where the host has none', () => {
    const host = make.hostFacts({ windowsVersion: { major: 6, minor: 2, build: 9200 } });
    const image = make.image({ properties: {} });
    const input = withSpecs({ 'quota:disk_total_iops_sec': '9' }, { host, image });
    expect(() => planEarly(input)).toThrow(/2012 R2/);
  });
});
