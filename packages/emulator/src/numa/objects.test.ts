import { afterEach, describe, expect, it } from 'vitest';
import { isCimReference } from '@nova-hyperv/wsman';
import type { CimReference } from '@nova-hyperv/wsman';
import { V2, numberOf, textOf, v2 } from '../cim.js';
import { systemReference } from '../machines/model.js';
import { MANAGEMENT, call, first, referencesOf, startTestHost } from '../testing/test-host.js';
import type { TestHost } from '../testing/test-host.js';

const GIB = 1024;
let hosts: TestHost[] = [];
afterEach(async () => {
  for (const host of hosts) await host.close();
  hosts = [];
});

async function start(options: Parameters<typeof startTestHost>[0]): Promise<TestHost> {
  const host = await startTestHost({ processors: 8, memoryMb: 32 * GIB, ...options });
  hosts.push(host);
  return host;
}

/** Defines a machine of virtual NUMA nodes of that many GB each. */
async function define({ client }: TestHost, name: string, nodes: readonly number[]): Promise<string> {
  const settings = v2('Msvm_VirtualSystemSettingData', {
    ElementName: name,
    VirtualSystemSubType: 'Microsoft:Hyper-V:SubType:2',
    VirtualNumaEnabled: true,
  });
  const made = await call(client, MANAGEMENT, 'DefineSystem', { SystemSettings: settings });
  const id = first(referencesOf(made.out['ResultingSystem'])).keys['Name'] ?? '';
  const where = `InstanceID LIKE 'Microsoft:${id}%'`;
  const one = async (className: string, properties: Parameters<typeof v2>[1]) => {
    const found = first(await client.query(V2, `SELECT * FROM ${className} WHERE ${where}`));
    return v2(className, { InstanceID: textOf(found.instance.properties['InstanceID']), ...properties });
  };
  const total = nodes.reduce((sum, size) => sum + size, 0) * GIB;
  const changed = await call(client, MANAGEMENT, 'ModifyResourceSettings', {
    ResourceSettings: [
      await one('Msvm_MemorySettingData', {
        VirtualQuantity: BigInt(total),
        MaxMemoryBlocksPerNumaNode: BigInt((nodes[0] ?? 0) * GIB),
      }),
      await one('Msvm_ProcessorSettingData', {
        VirtualQuantity: BigInt(nodes.length),
        MaxProcessorsPerNumaNode: 1n,
      }),
    ],
  });
  expect(changed.job?.properties['JobState']).toBe(7);
  return id;
}

async function power({ client }: TestHost, id: string, state: number) {
  const { job } = await call(client, systemReference(id), 'RequestStateChange', { RequestedState: state });
  return job?.properties;
}

/** Who holds how many MB of which node, as WMI shows it: `node machine MB`. */
async function allocations({ client }: TestHost, names: ReadonlyMap<string, string>) {
  const links = await client.query(V2, 'SELECT * FROM Msvm_ElementAllocatedFromNumaNode');
  const memory = await client.query(V2, 'SELECT * FROM Msvm_Memory');
  const sizeOf = (reference: CimReference) =>
    memory.find(({ instance }) => instance.properties['DeviceID'] === reference.keys['DeviceID']);
  return links
    .flatMap(({ instance }) => {
      const { Antecedent: node, Dependent: part } = instance.properties;
      if (!isCimReference(node) || !isCimReference(part)) return [];
      const owner = names.get(part.keys['SystemName'] ?? '');
      const blocks = numberOf(sizeOf(part)?.instance.properties['NumberOfBlocks']);
      return [`${(node.keys['NodeID'] ?? '').slice(-1)} ${owner} ${blocks}`];
    })
    .toSorted();
}

async function free({ client }: TestHost): Promise<readonly number[]> {
  const nodes = await client.query(V2, 'SELECT * FROM Msvm_NumaNode');
  return nodes.map(({ instance }) => numberOf(instance.properties['CurrentlyConsumableMemoryBlocks']));
}

describe('a host with two NUMA nodes', () => {
  it('shows its nodes, their processors and memory', async () => {
    const { client } = await start({ numaNodes: 2, numaSpanning: false });
    const nodes = await client.query(V2, 'SELECT * FROM Msvm_NumaNode');
    expect(nodes.map(({ instance }) => instance.properties['NumberOfLogicalProcessors'])).toEqual([4, 4]);
    const members = await client.query(V2, 'SELECT * FROM Msvm_HostedDependency');
    expect(members).toHaveLength(2 + 8);
    const [service] = await client.query(V2, 'SELECT * FROM Msvm_VirtualSystemManagementServiceSettingData');
    expect(service?.instance.properties['NumaSpanningEnabled']).toBe(false);
  });

  it("fits machines into them as in the usage guide's example, and remembers where they are", async () => {
    const host = await start({ numaNodes: 2, numaSpanning: false });
    const names = new Map<string, string>();
    const machines: Record<string, string> = {};
    for (const [name, nodes] of Object.entries({ A: [8, 8], B: [6], C: [6], D: [2], E: [2] })) {
      const id = await define(host, name, nodes);
      machines[name] = id;
      names.set(id, name);
    }
    for (const name of 'BDEC')
      expect(await power(host, machines[name] ?? '', 2)).toMatchObject({ JobState: 7 });
    expect(await allocations(host, names)).toEqual(['0 B 6144', '1 C 6144', '1 D 2048', '1 E 2048']);
    expect(await free(host)).toEqual([10 * GIB, 6 * GIB]);
    expect(await power(host, machines['A'] ?? '', 2)).toMatchObject({
      JobState: 10,
      ErrorCode: 32_778,
      ErrorDescription: expect.stringMatching(/'A'.*NUMA node 1 of the host has 6144 MB free/),
    });
    expect(await free(host)).toEqual([10 * GIB, 6 * GIB]);
    // With C gone there is room.
    await power(host, machines['C'] ?? '', 3);
    expect(await power(host, machines['A'] ?? '', 2)).toMatchObject({ JobState: 7 });
    expect(await allocations(host, names)).toContain('1 A 8192');

    // The guests outlive the process: so does where they are.
    host.engine.outlived = [...host.engine.running.keys()].map((machineId) => ({
      machineId,
      state: 'running',
      startedAt: new Date(),
    }));
    const before = await allocations(host, names);
    await host.stop();
    const next = await startTestHost(
      { processors: 8, memoryMb: 32 * GIB, numaNodes: 2, numaSpanning: false, stateDir: host.stateDir },
      host.engine,
    );
    try {
      expect(await allocations(next, names)).toEqual(before);
    } finally {
      await next.stop();
    }
  });

  it('gives memory of both nodes where spanning is allowed, and says so in the summary', async () => {
    const host = await start({ numaNodes: 2 });
    const id = await define(host, 'big', [20]);
    expect(await power(host, id, 2)).toMatchObject({ JobState: 7 });
    const { out } = await host.client.invoke(MANAGEMENT, 'GetSummaryInformation', {
      RequestedInformation: [123],
    });
    expect(
      JSON.stringify(out, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value)),
    ).toContain('"MemorySpansPhysicalNumaNodes":true');
  });
});

describe('a host of a failover cluster', () => {
  it('has the cluster, and others do not have its namespace', async () => {
    const member = await start({ cluster: 'CLUSTER1' });
    const found = await member.client.query('root/MSCluster', 'SELECT Name FROM MSCluster_Cluster');
    expect(found.map(({ instance }) => instance.properties['Name'])).toEqual(['CLUSTER1']);
    const alone = await start({});
    await expect(
      alone.client.query('root/MSCluster', 'SELECT Name FROM MSCluster_Cluster'),
    ).rejects.toMatchObject({ code: 'WSMAN_FAULT' });
  });
});
