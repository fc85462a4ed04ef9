import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALICE, NovaBench } from '../testing/bench.js';
import { NETWORK_ID } from '../testing/fakes.js';

interface Named {
  readonly name: string;
}

let bench: NovaBench;
beforeEach(async () => {
  bench = await NovaBench.create();
  await bench.addHost('hv1');
});
afterEach(() => bench.close());

async function shownGroups(id: string): Promise<readonly string[]> {
  const { security_groups: groups } = await bench.show<{ security_groups?: Named[] }>(id, { as: ALICE });
  return (groups ?? []).map((group) => group.name);
}

function addPort(deviceId: string, securityGroupIds: readonly string[]): void {
  const port = {
    id: `port-of-${deviceId}`,
    networkId: NETWORK_ID,
    mac: 'fa:16:3e:00:00:01',
    status: 'ACTIVE',
  };
  bench.networks.allPorts.push({ ...port, deviceId, fixedIps: [], securityGroupIds });
}

describe('security groups of a new server', () => {
  it.each(['web', 'sg'])('given as %s are shown by name and built by identifier', async (given) => {
    const id = await bench.bootId({ security_groups: [{ name: given }] }, { as: ALICE });
    expect(await shownGroups(id)).toEqual(['web']);
    expect(bench.computes.get('hv1')?.builds[0]?.securityGroups).toEqual(['sg']);
  });

  it('refuse a name that two groups have', async () => {
    const answer = await bench.boot({ security_groups: [{ name: 'twin' }] }, { as: ALICE });
    expect(answer.status).toBe(409);
    expect(answer.text).toMatch(/Multiple security groups found matching 'twin'/);
    expect((await bench.boot({ security_groups: [{ name: 'sg-twin-1' }] }, { as: ALICE })).status).toBe(202);
  });
});

describe('security groups of a running server', () => {
  let id: string;
  beforeEach(async () => {
    id = await bench.bootId({}, { as: ALICE });
  });

  it('are added to and taken from its ports', async () => {
    addPort(id, ['sg-default']);
    expect((await bench.act(id, { addSecurityGroup: { name: 'web' } }, { as: ALICE })).status).toBe(202);
    expect((await bench.act(id, { addSecurityGroup: { name: 'sg' } }, { as: ALICE })).status).toBe(202);
    expect(bench.networks.allPorts[0]?.securityGroupIds).toEqual(['sg-default', 'sg']);
    expect(await shownGroups(id)).toEqual(['default', 'web']);
    const remove = { removeSecurityGroup: { name: 'default' } };
    expect((await bench.act(id, remove, { as: ALICE })).status).toBe(202);
    expect(bench.networks.allPorts[0]?.securityGroupIds).toEqual(['sg']);
    expect(await shownGroups(id)).toEqual(['web']);
    const again = await bench.act(id, remove, { as: ALICE });
    expect(again.status).toBe(404);
    expect(again.text).toMatch(/default not associated with the instance/);
  });

  it('have to exist, and the server needs a port', async () => {
    const noPort = await bench.act(id, { addSecurityGroup: { name: 'web' } }, { as: ALICE });
    expect(noPort.status).toBe(400);
    expect(noPort.text).toMatch(/has no port/);
    addPort(id, []);
    expect((await bench.act(id, { addSecurityGroup: { name: 'nope' } }, { as: ALICE })).status).toBe(404);
    expect((await bench.act(id, { addSecurityGroup: { name: 'twin' } }, { as: ALICE })).status).toBe(409);
    expect((await bench.act(id, { addSecurityGroup: {} }, { as: ALICE })).status).toBe(400);
    expect(bench.networks.allPorts[0]?.securityGroupIds).toEqual([]);
  });
});

describe('/os-security-groups', () => {
  it("lists the project's groups until 2.35", async () => {
    const list = await bench.ask('GET', '/os-security-groups', { as: ALICE });
    expect(list.json<{ security_groups: Named[] }>().security_groups.map((group) => group.name)).toContain(
      'web',
    );
    expect((await bench.ask('GET', '/os-security-groups/sg', { as: ALICE })).status).toBe(200);
    expect((await bench.ask('GET', '/os-security-groups/nope', { as: ALICE })).status).toBe(404);
    expect((await bench.ask('GET', '/os-security-groups', { as: ALICE, version: '2.36' })).status).toBe(404);
  });
});
