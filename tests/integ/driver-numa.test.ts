import { afterEach, describe, expect, it } from 'vitest';
import { POWER_STATE } from '@nova-hyperv/driver';
import type { SpawnRequest } from '@nova-hyperv/driver';
import { diskImage, spawnRequest, startTestHost, testInstance, testVif } from '../support/driver-host.js';
import type { FileImages, TestHost, TestHostOptions } from '../support/driver-host.js';

const GIB = 1024;
const TWO_NODES = { numaNodes: 2, numaSpanning: false, memoryMb: 32 * GIB } as const;

let running: TestHost | undefined;
afterEach(async () => {
  await running?.close();
  running = undefined;
});

async function start(options: TestHostOptions): Promise<{ test: TestHost; images: FileImages }> {
  running = await startTestHost(options);
  return { test: running, images: await diskImage(running.folder, 'vhdx') };
}

/** Machines of the usage guide by number: memory in GB, virtual NUMA nodes. */
const [A, B, C, D, E] = [1, 2, 3, 4, 5];
const SIZES: Readonly<Record<number, readonly [memoryGb: number, nodes: number]>> = {
  1: [16, 2],
  2: [6, 1],
  3: [6, 1],
  4: [2, 1],
  5: [2, 1],
};

function guideRequest(images: FileImages, number: number): SpawnRequest {
  const [memoryGb, nodes] = SIZES[number] ?? [1, 1];
  const extraSpecs = { 'hw:numa_nodes': String(nodes) };
  const instance = testInstance(number, { vcpus: 2, memoryMb: memoryGb * GIB, extraSpecs });
  return spawnRequest(images, { number, instance, vifs: [] });
}

describe('the usage guide’s example of NUMA nodes', () => {
  it('starts B, D, E and C after all were stopped, and then not A, with a fault that says where and what to do', async () => {
    const { test, images } = await start({ host: TWO_NODES });
    const { driver, host } = test;
    const held = async () =>
      (await host.numa()).nodes.map(({ machines }) =>
        machines.map(({ name, memoryMb }) => `${Number.parseInt(name.slice(-8), 16)}: ${memoryMb}`),
      );
    for (const number of [A, B, C, D, E]) await driver.spawn(guideRequest(images, number));
    expect(await held()).toEqual([
      ['1: 8192', '2: 6144', '4: 2048'],
      ['1: 8192', '3: 6144', '5: 2048'],
    ]);
    for (const number of [A, B, C, D, E]) await driver.powerOff(testInstance(number), { timeoutSeconds: 0 });
    for (const number of [B, D, E, C]) await driver.powerOn(testInstance(number));
    expect(await held()).toEqual([['2: 6144'], ['3: 6144', '4: 2048', '5: 2048']]);
    const starting = driver.powerOn(testInstance(A));
    await expect(starting).rejects.toMatchObject({ novaName: 'InstancePowerOnFailure' });
    await expect(starting).rejects.toThrow(
      /node 1 has 6144 MB free of 16384 MB \(held by .*instance-00000003 6144 MB.*\).*Stop or move.*availability zone/,
    );
    expect((await driver.getInfo(testInstance(A))).powerState).toBe(POWER_STATE.SHUTDOWN);
    // Its advice helps.
    await driver.powerOff(testInstance(C), { timeoutSeconds: 0 });
    await driver.powerOn(testInstance(A));
    expect((await host.numa()).nodes.map(({ freeMb }) => freeMb)).toEqual([2 * GIB, 4 * GIB]);
  });

  it('tells the nodes of the host', async () => {
    const { test } = await start({ host: TWO_NODES });
    expect(await test.host.numa()).toEqual({
      spanning: false,
      nodes: [0, 1].map((id) => ({
        id,
        processors: [0, 1, 2, 3].map((number) => number + 4 * id),
        memoryMb: 16 * GIB,
        freeMb: 16 * GIB,
        machines: [],
      })),
    });
    const { vcpus, memoryMb, cpuInfo } = await test.driver.hostResources();
    expect([vcpus, memoryMb, cpuInfo.topology]).toEqual([
      8,
      32 * GIB,
      { cells: 2, sockets: 2, cores: 4, threads: 1 },
    ]);
  });
});

const nested = (images: FileImages) =>
  spawnRequest(images, {
    instance: testInstance(1, { extraSpecs: { 'hw:cpu_features': 'vmx' } }),
    vifs: [{ ...testVif(1), portSecurityEnabled: true, securityGroups: [] }],
  });

describe('nested virtualization', () => {
  it('is had with a port that may use other addresses', async () => {
    const { test, images } = await start({});
    await test.driver.spawn(nested(images));
    const [security] = await test.host.query(
      "SELECT * FROM Msvm_EthernetSwitchPortSecuritySettingData WHERE NOT InstanceID LIKE '%Default'",
    );
    expect(security?.instance.properties['AllowMacSpoofing']).toBe(true);
  });

  it('is refused by a host of a failover cluster, which runs other instances', async () => {
    const { test, images } = await start({ host: { cluster: 'CLUSTER1' } });
    await expect(test.driver.spawn(nested(images))).rejects.toMatchObject({
      novaName: 'InstanceUnacceptable',
      message: expect.stringMatching(/failover cluster/),
    });
    await test.driver.spawn(spawnRequest(images));
  });
});
