import { DriverError, POWER_STATE } from '@nova-hyperv/driver';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { ComputeConfig } from '../config.js';
import type { SeenRequest } from '../testing/fake-openstack.js';
import { BenchHost } from '../testing/bench-host.js';

let bench: BenchHost;
afterEach(() => bench.close());

async function start(config: Partial<ComputeConfig> = {}): Promise<BenchHost> {
  bench = await BenchHost.create(config);
  return bench;
}

/** Waits for what the background work is going to bring about. */
async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !condition(); i += 1) {
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
  expect(condition()).toBe(true);
}

describe('build', () => {
  it('goes through the states of a nova-compute boot and ends active', async () => {
    const { manager, openstack, driver, history, instances, ...rest } = await start();
    const record = await bench.active();
    expect(history.get(record.uuid)).toEqual([
      'building/scheduling',
      'building/-',
      'building/networking',
      'building/block_device_mapping',
      'building/spawning',
      'active/-',
    ]);
    expect(record).toMatchObject({ host: rest.host, node: 'hv1', powerState: POWER_STATE.RUNNING });
    expect(record.launchedAt).toBeInstanceOf(Date);
    expect(record.networkInfo).toMatchObject([
      { networkId: 'net-1', networkLabel: 'net-1', vifType: 'hyperv', mtu: 1450, active: true },
    ]);
    const [port] = openstack.ports.values();
    expect(port).toMatchObject({
      device_id: record.uuid,
      device_owner: 'compute:nova',
      'binding:host_id': rest.host,
      tenant_id: 'p1',
    });
    expect(driver.spawned[0]).toMatchObject({ instance: { uuid: record.uuid }, image: { id: 'image-1' } });
    expect(instances.events).toMatchObject([
      { event: 'compute__do_build_and_run_instance', finished: true, error: null },
    ]);
    await manager.idle();
    const ids = openstack.requests.filter(({ path }) => path.includes('/image/')).map((seen) => seen.headers);
    expect(ids.every((headers) => headers['x-openstack-request-id'] === instances.events[0]?.requestId)).toBe(
      true,
    );
  });

  it('binds the ports that the user gave, keeps the order, and unbinds them on deletion', async () => {
    await start();
    bench.openstack.addPort('port-1');
    const record = await bench.active({
      requestedNetworks: [{ networkId: 'net-1', fixedIp: '10.0.0.77' }, { portId: 'port-1' }],
    });
    expect(record.vmState).toBe('active');
    expect(record.networkInfo.map(({ portId }) => portId)[1]).toBe('port-1');
    const made = bench.openstack.ports.get(record.networkInfo[0]?.portId ?? '');
    expect(made?.['fixed_ips']).toEqual([{ subnet_id: 'subnet-1', ip_address: '10.0.0.77' }]);
    await bench.manager.terminateInstance(bench.ask(record.uuid, 'deleting'));
    await bench.manager.idle();
    expect([...bench.openstack.ports.values()]).toMatchObject([
      { id: 'port-1', device_id: '', device_owner: '', 'binding:host_id': null },
    ]);
  });

  it.each([
    [
      'several networks and none named',
      (b: BenchHost) => b.openstack.addNetwork('net-2'),
      /^More than one possible network found/,
    ],
    [
      'an image that is gone',
      (b: BenchHost) => b.openstack.images.clear(),
      /^Image image-1 could not be found/,
    ],
    [
      'a deactivated image',
      (b: BenchHost) => b.openstack.addImage('image-1', Buffer.from('x'), { status: 'deactivated' }),
      /is not active/,
    ],
    [
      'an image that needs more memory',
      (b: BenchHost) => b.openstack.addImage('image-1', Buffer.from('x'), { min_ram: 4096 }),
      /^Flavor's memory is too small/,
    ],
    [
      'no network',
      (b: BenchHost) => b.openstack.networks.clear(),
      /^Unable to automatically allocate a network/,
    ],
    [
      'a network without subnet',
      (b: BenchHost) => b.openstack.addNetwork('net-1', { subnets: [] }),
      /^Unable to automatically/,
    ],
  ])('refuses %s for good, leaving nothing', async (_, prepare, message) => {
    await start();
    prepare(bench);
    const record = await bench.active();
    expect(record).toMatchObject({ vmState: 'error', taskState: null, host: null, node: null });
    expect(bench.instances.faults.get(record.uuid)).toMatchObject([
      { code: 500, message: expect.stringMatching(message) },
    ]);
    expect(bench.traces(record.uuid)).toEqual([]);
    expect(bench.reschedules).toMatchObject([{ uuid: record.uuid, retryable: false }]);
  });

  it.each([
    ['PortNotFound', [{ portId: 'nope' }], /^Port id nope could not be found/],
    ['NetworkNotFound', [{ networkId: 'nope' }], /^Network nope could not be found/],
    ['a port in use', [{ networkId: 'net-1' }, { portId: 'used' }], /^Port used is still in use/],
    ['a foreign port', [{ portId: 'foreign' }], /^Port foreign not usable for instance/],
  ])('refuses %s before any port is touched', async (_, requestedNetworks, message) => {
    await start();
    bench.openstack.addPort('used', { device_id: 'other' });
    bench.openstack.addPort('foreign', { tenant_id: 'p2' });
    const record = await bench.active({ requestedNetworks });
    expect(record.vmState).toBe('error');
    expect(bench.instances.faults.get(record.uuid)?.[0]?.message).toMatch(message);
    expect(bench.openstack.count('POST', /ports/) + bench.openstack.count('PUT', /ports/)).toBe(0);
  });

  it('tells the guest which NIC has which tag', async () => {
    await start();
    const record = await bench.active({
      requestedNetworks: [{ networkId: 'net-1', tag: 'nic1' }, { networkId: 'net-1' }],
    });
    const [nic] = record.networkInfo;
    expect(record.deviceMetadata).toEqual([
      { type: 'nic', bus: 'none', address: null, mac: nic?.mac, tags: ['nic1'] },
    ]);
  });

  it("makes a driver's refusal a fault that begins with the driver's words, without rescheduling", async () => {
    await start();
    bench.driver.script = (method, uuid) => {
      if (method === 'spawn')
        throw new DriverError('InstanceUnacceptable', `Instance ${uuid} is unacceptable: VHD on gen 2.`);
    };
    const record = await bench.active();
    const [fault] = bench.instances.faults.get(record.uuid) ?? [];
    expect(fault?.message).toMatch(/^Instance .* is unacceptable: VHD on gen 2\./);
    expect(fault?.details).toContain('InstanceUnacceptable');
    expect(bench.traces(record.uuid)).toEqual([]);
    expect(bench.instances.events[0]?.error).toMatch(/unacceptable/);
  });

  it("hands a host's failure to the rescheduler with the instance back in scheduling and nothing left", async () => {
    await start();
    bench.driver.script = (method) => {
      if (method === 'spawn') throw new DriverError('NovaException', 'The host is out of memory.');
    };
    const record = await bench.active();
    expect(record).toMatchObject({
      vmState: 'building',
      taskState: 'scheduling',
      host: null,
      node: null,
      networkInfo: [],
    });
    expect(bench.reschedules).toEqual([
      { uuid: record.uuid, message: 'The host is out of memory.', retryable: true },
    ]);
    expect(bench.traces(record.uuid)).toEqual([]);
  });

  it('stays with the host, in ERROR, when not everything could be taken back; deletion then finishes it', async () => {
    await start();
    bench.driver.script = (method) => {
      if (method === 'spawn' || method === 'destroy')
        throw new DriverError('NovaException', 'The host is gone.');
    };
    const record = await bench.active();
    expect(record).toMatchObject({ vmState: 'error', host: bench.host });
    bench.driver.script = () => undefined;
    await bench.manager.terminateInstance(bench.ask(record.uuid, 'deleting'));
    await bench.manager.idle();
    expect(bench.get(record.uuid).deleted).toBe(true);
    expect(bench.traces(record.uuid)).toEqual([]);
  });

  it('leaves a foreign machine of the same name alone', async () => {
    await start();
    bench.driver.script = (method) => {
      if (method === 'spawn') throw new DriverError('InstanceExists', 'Instance instance-1 already exists.');
    };
    await bench.active();
    expect(bench.driver.calls.some(({ method }) => method === 'destroy')).toBe(false);
  });

  it('refuses what does not fit, as a reason to try another host', async () => {
    await start();
    const big = bench.add();
    bench.instances.records.set(big.uuid, { ...big, flavor: { ...big.flavor, memoryMb: 20_000 } });
    await bench.build(big);
    await bench.manager.idle();
    expect(bench.reschedules[0]).toMatchObject({ retryable: true });
    expect(bench.reschedules[0]?.message).toBe(
      'Insufficient compute resources: Free memory 15872 MB < requested 20000 MB.',
    );
    expect(bench.traces(big.uuid)).toEqual([]);
  });

  it('reschedules when Neutron cannot bind the port to this host', async () => {
    await start();
    bench.openstack.vifType = 'binding_failed';
    const record = await bench.active();
    expect(bench.reschedules[0]).toMatchObject({
      retryable: true,
      message: expect.stringMatching(/^Binding failed for port/),
    });
    expect(bench.traces(record.uuid)).toEqual([]);
  });

  it('does not leave the port of a request whose answer was lost', async () => {
    await start();
    let lost = false;
    bench.openstack.intercept = (request: SeenRequest) => {
      if (request.method !== 'POST' || lost) return undefined;
      lost = true;
      const made = {
        id: 'lost',
        network_id: 'net-1',
        device_id: portBody.parse(request.body).port.device_id,
        mac_address: 'fa:16:3e:00:00:07',
      };
      bench.openstack.ports.set('lost', made);
      return 'cut';
    };
    const record = await bench.active();
    expect(bench.openstack.count('POST', /ports$/)).toBe(1);
    expect(bench.traces(record.uuid)).toEqual([]);
    expect(bench.reschedules[0]).toMatchObject({ retryable: true });
  });

  it('passes security groups on by id, and says which is not there', async () => {
    await start();
    bench.openstack.securityGroups.push({ id: 'sg-1', name: 'web' });
    const record = await bench.active({ securityGroups: ['web'] });
    expect([...bench.openstack.ports.values()]).toMatchObject([
      { device_id: record.uuid, security_groups: ['sg-1'] },
    ]);
    const other = await bench.active({ securityGroups: ['db'] });
    expect(bench.instances.faults.get(other.uuid)?.[0]?.message).toMatch(/^Security group db not found/);
  });

  it('never spawns more at a time than max_concurrent_builds', async () => {
    await start({ maxConcurrentBuilds: 3 });
    bench.driver.script = (method) =>
      method === 'spawn' ? new Promise((resolve) => setTimeout(resolve, 10)) : undefined;
    const records = Array.from({ length: 12 }, () => bench.add());
    await Promise.all(records.map((record) => bench.build(record)));
    await bench.manager.idle();
    expect(records.map(({ uuid }) => bench.get(uuid).vmState)).toEqual(records.map(() => 'active'));
    expect(bench.driver.peakSpawns).toBe(3);
  });
});

const portBody = z.object({ port: z.object({ device_id: z.string() }) });

describe('deletion during a build', () => {
  it('breaks a spawn off and deletes what was made', async () => {
    await start();
    bench.driver.script = (method, _, signal) =>
      method === 'spawn'
        ? new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
        : undefined;
    const record = bench.add();
    await bench.build(record);
    await until(() => bench.driver.spawned.length === 1);
    await bench.manager.terminateInstance(bench.ask(record.uuid, 'deleting'));
    await bench.manager.idle();
    expect(bench.get(record.uuid)).toMatchObject({ deleted: true, vmState: 'deleted', taskState: null });
    expect(bench.traces(record.uuid)).toEqual([]);
    expect(bench.reschedules).toEqual([]);
    expect(bench.instances.faults.size).toBe(0);
  });

  it('does not make active what was deleted when its spawn had just ended', async () => {
    await start();
    const record = bench.add();
    bench.driver.script = async (method) => {
      // Not yet in the store: only the signal tells.
      if (method === 'spawn')
        await bench.manager.terminateInstance({ instanceUuid: record.uuid, requestId: 'req-1' });
    };
    await bench.build(record);
    await bench.manager.idle();
    expect(bench.history.get(record.uuid)).not.toContain('active/-');
    expect(bench.get(record.uuid).deleted).toBe(true);
    expect(bench.traces(record.uuid)).toEqual([]);
  });

  it('takes a build that waits for its turn out of the line', async () => {
    await start({ maxConcurrentBuilds: 1 });
    let release: (() => void) | undefined;
    bench.driver.script = (method) =>
      method === 'spawn' ? new Promise((resolve) => (release = resolve)) : undefined;
    const [first, second] = [bench.add(), bench.add()];
    await bench.build(first);
    await until(() => bench.driver.spawned.length === 1);
    await bench.build(second);
    await bench.manager.terminateInstance(bench.ask(second.uuid, 'deleting'));
    await until(() => bench.get(second.uuid).deleted);
    release?.();
    await bench.manager.idle();
    expect(bench.get(first.uuid).vmState).toBe('active');
    expect(bench.driver.spawned).toHaveLength(1);
    expect(bench.traces(second.uuid)).toEqual([]);
  });

  it('ends quietly when the instance turns out to be being deleted at a save', async () => {
    await start();
    bench.openstack.afterwards = ({ method, path }) => {
      if (method === 'POST' && path.endsWith('/ports'))
        for (const { uuid } of bench.instances.records.values()) bench.ask(uuid, 'deleting');
    };
    const record = await bench.active();
    expect(record).toMatchObject({ taskState: 'deleting', vmState: 'building' });
    expect(bench.driver.spawned).toEqual([]);
    expect(bench.traces(record.uuid)).toEqual([]);
    expect(bench.instances.faults.size).toBe(0);
  });
});

const event = (uuid: string, tag: string, status = 'completed') => ({
  name: 'network-vif-plugged',
  instanceUuid: uuid,
  tag,
  status,
});

describe('plugging', () => {
  it('waits for Neutron to report inactive ports plugged', async () => {
    await start();
    bench.openstack.portStatus = 'DOWN';
    const record = bench.add();
    await bench.build(record);
    await until(() => bench.driver.machines.has(record.uuid));
    expect(bench.driver.machines.get(record.uuid)?.powerState).toBe(POWER_STATE.SHUTDOWN);
    await bench.manager.externalInstanceEvent(
      event(record.uuid, bench.get(record.uuid).networkInfo[0]?.portId ?? ''),
    );
    await bench.manager.idle();
    expect(bench.get(record.uuid).vmState).toBe('active');
  });

  it('takes an event that came before the wait', async () => {
    await start();
    bench.openstack.portStatus = 'DOWN';
    const record = bench.add();
    bench.driver.script = async (method) => {
      const portId = bench.get(record.uuid).networkInfo[0]?.portId ?? '';
      if (method === 'spawn') await bench.manager.externalInstanceEvent(event(record.uuid, portId));
    };
    await bench.build(record);
    await bench.manager.idle();
    expect(bench.get(record.uuid).vmState).toBe('active');
  });

  it.each([true, false])('on time-out, fatal %s', async (vifPluggingIsFatal) => {
    await start({ vifPluggingTimeoutSeconds: 0.02, vifPluggingIsFatal });
    bench.openstack.portStatus = 'DOWN';
    const record = await bench.active();
    expect(record.vmState).toBe(vifPluggingIsFatal ? 'error' : 'active');
    if (!vifPluggingIsFatal) return;
    expect(bench.instances.faults.get(record.uuid)?.[0]?.message).toMatch(
      /^Virtual Interface creation failed/,
    );
    expect(bench.traces(record.uuid)).toEqual([]);
  });
});

describe('failure at every request to another service', () => {
  it('leaves no machine, port or allocation, and no instance in a task', async () => {
    await start();
    await bench.active();
    const requests = bench.openstack.requests.filter(({ path }) => !path.startsWith('/placement')).length;
    expect(requests).toBeGreaterThan(3);
    for (let failing = 0; failing < requests; failing += 1) {
      let count = 0;
      bench.openstack.intercept = ({ path }) => {
        if (path.startsWith('/placement')) return undefined;
        count += 1;
        return count - 1 === failing ? { status: 500, body: { message: 'broken' } } : undefined;
      };
      const record = await bench.active();
      bench.openstack.intercept = () => undefined;
      if (record.vmState === 'active') continue;
      expect([record.vmState, record.taskState]).toEqual(['building', 'scheduling']);
      expect(bench.traces(record.uuid)).toEqual([]);
    }
    expect(bench.reschedules.length).toBeGreaterThan(2);
  });
});
