import { afterEach, describe, expect, it } from 'vitest';
import { computeConfig } from '../config.js';
import { BenchHost } from '../testing/bench-host.js';
import { FAKE_RESOURCES } from '../testing/fake-driver.js';
import { uptimeText } from './node-report.js';
import { nodeInventories, nodeTraits } from './provider-tree.js';

describe('inventories', () => {
  it("are the host's, with Nova's reserves and initial ratios", () => {
    expect(nodeInventories(FAKE_RESOURCES, computeConfig(), {})).toEqual({
      VCPU: { total: 8, reserved: 0, minUnit: 1, maxUnit: 8, stepSize: 1, allocationRatio: 4 },
      MEMORY_MB: {
        total: 16_384,
        reserved: 512,
        minUnit: 1,
        maxUnit: 16_384,
        stepSize: 1,
        allocationRatio: 1,
      },
      DISK_GB: { total: 500, reserved: 0, minUnit: 1, maxUnit: 500, stepSize: 1, allocationRatio: 1 },
    });
  });

  it('keep a ratio that was set in Placement unless the configuration sets one, and classes of others', () => {
    const vcpu = { total: 4, reserved: 0, minUnit: 1, maxUnit: 4, stepSize: 1, allocationRatio: 16 };
    const present = { VCPU: vcpu, CUSTOM_GPU: vcpu };
    const kept = nodeInventories(FAKE_RESOURCES, computeConfig({ reservedHostDiskMb: 1025 }), present);
    expect(kept['VCPU']?.allocationRatio).toBe(16);
    expect(kept['CUSTOM_GPU']).toEqual(vcpu);
    expect(kept['DISK_GB']?.reserved).toBe(2);
    const set = nodeInventories(
      { ...FAKE_RESOURCES, localGb: 0 },
      computeConfig({ cpuAllocationRatio: 2 }),
      present,
    );
    expect(set['VCPU']?.allocationRatio).toBe(2);
    expect(set['DISK_GB']).toBeUndefined();
  });
});

describe('traits', () => {
  it("replace the compute's own and keep the administrator's", () => {
    expect(nodeTraits(['COMPUTE_A'], true, ['COMPUTE_OLD', 'CUSTOM_X', 'HW_CPU_X86_VMX'])).toEqual([
      'COMPUTE_A',
      'COMPUTE_NODE',
      'COMPUTE_STATUS_DISABLED',
      'CUSTOM_X',
      'HW_CPU_X86_VMX',
    ]);
  });
});

describe('uptime', () => {
  it('is as uptime(1) writes it', () => {
    const noon = new Date(2024, 0, 1, 12, 3, 4);
    expect(uptimeText(noon, 93_784)).toBe('12:03:04 up 1 day, 2:03:04,  0 users,  load average: 0, 0, 0');
    expect(uptimeText(noon, 59)).toBe('12:03:04 up 0:00:59,  0 users,  load average: 0, 0, 0');
  });
});

describe('configuration', () => {
  it('refuses what makes no sense', () => {
    expect(() => computeConfig({ reportIntervalSeconds: 0 })).toThrow(/reportIntervalSeconds/);
    expect(() => computeConfig({ maxConcurrentBuilds: -1 })).toThrow(/maxConcurrentBuilds/);
    expect(computeConfig({ syncPowerStateIntervalSeconds: -1 }).syncPowerStateIntervalSeconds).toBe(-1);
  });
});

describe('the running service', () => {
  let bench: BenchHost;
  afterEach(() => bench.close());

  it('reports node, provider and usage, and beats', async () => {
    bench = await BenchHost.create({
      reportIntervalSeconds: 0.01,
      updateResourcesIntervalSeconds: 0.02,
      imageCacheIntervalSeconds: 0.02,
    });
    const provider = bench.openstack.providers.get(bench.manager.nodeUuid);
    expect(provider?.name).toBe('hv1');
    expect(provider?.traits).toEqual(['COMPUTE_IMAGE_TYPE_VHD', 'COMPUTE_IMAGE_TYPE_VHDX', 'COMPUTE_NODE']);
    expect(bench.services.nodes.get(bench.host)).toMatchObject({
      vcpus: 8,
      vcpusUsed: 0,
      memoryMbUsed: 512,
      runningVms: 0,
      hypervisorVersion: 10000,
    });
    await bench.active();
    await new Promise((resolve) => {
      setTimeout(resolve, 200);
    });
    expect(bench.services.nodes.get(bench.host)).toMatchObject({
      vcpusUsed: 1,
      memoryMbUsed: 1024,
      localGbUsed: 1,
      runningVms: 1,
    });
    expect(bench.services.beats.length).toBeGreaterThan(3);
    expect(bench.driver.imageCaches.at(-1)).toEqual(new Set(['image-1']));
  });

  it('cleans up after instances that were deleted behind its back', async () => {
    bench = await BenchHost.create({ cleanUpIntervalSeconds: 0.02, updateResourcesIntervalSeconds: 0.02 });
    const { uuid } = await bench.active();
    await bench.instances.destroy(uuid);
    await new Promise((resolve) => {
      setTimeout(resolve, 250);
    });
    expect(bench.traces(uuid)).toEqual([]);
  });
});
