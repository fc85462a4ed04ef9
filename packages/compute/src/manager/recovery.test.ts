import { DriverError, POWER_STATE, type PowerState } from '@nova-hyperv/driver';
import { afterEach, describe, expect, it } from 'vitest';
import type { InstanceRecord, TaskState, VmState } from '../ports.js';
import { BenchHost } from '../testing/bench-host.js';
import { planRecovery } from './recovery.js';

let bench: BenchHost;
afterEach(() => bench.close());

const { RUNNING, SHUTDOWN, NOSTATE, SUSPENDED } = POWER_STATE;
const ABSENT = null;

/** An instance of a killed service with a port, an allocation, and a machine in the state given. */
async function left(changes: Partial<InstanceRecord>, machine: PowerState | null): Promise<InstanceRecord> {
  const record = bench.add({ host: bench.host, node: 'hv1', powerState: RUNNING, ...changes });
  bench.openstack.addPort(`port-of-${record.uuid}`, {
    device_id: record.uuid,
    device_owner: 'compute:nova',
    'binding:host_id': bench.host,
  });
  await bench.allocate(record.uuid);
  if (machine !== null) bench.driver.machines.set(record.uuid, { name: record.name, powerState: machine });
  return record;
}

async function start(): Promise<void> {
  bench = await BenchHost.create({ syncPowerStateIntervalSeconds: 0 });
}

async function restart(config = {}): Promise<void> {
  await bench.restart({ syncPowerStateIntervalSeconds: 0, ...config });
  await bench.manager.idle();
}

describe('every task state, with and without the machine', () => {
  const table: readonly (readonly [VmState, TaskState, PowerState | null, VmState, PowerState | 'gone'])[] = [
    ['building', 'scheduling', ABSENT, 'error', 'gone'],
    ['building', null, ABSENT, 'error', 'gone'],
    ['building', 'networking', ABSENT, 'error', 'gone'],
    ['building', 'block_device_mapping', ABSENT, 'error', 'gone'],
    ['building', 'spawning', ABSENT, 'error', 'gone'],
    ['building', 'spawning', SHUTDOWN, 'error', 'gone'],
    ['building', 'spawning', RUNNING, 'error', 'gone'],
    ['building', 'deleting', RUNNING, 'deleted', 'gone'],
    ['active', 'deleting', RUNNING, 'deleted', 'gone'],
    ['active', 'deleting', ABSENT, 'deleted', 'gone'],
    ['error', 'deleting', RUNNING, 'deleted', 'gone'],
    ['deleted', null, ABSENT, 'deleted', 'gone'],
    ['active', 'powering-off', RUNNING, 'stopped', SHUTDOWN],
    ['active', 'powering-off', SHUTDOWN, 'stopped', SHUTDOWN],
    ['active', 'powering-off', ABSENT, 'stopped', NOSTATE],
    ['stopped', 'powering-on', SHUTDOWN, 'active', RUNNING],
    ['stopped', 'powering-on', RUNNING, 'active', RUNNING],
    ['stopped', 'powering-on', ABSENT, 'stopped', NOSTATE],
    ['active', 'rebooting', RUNNING, 'active', RUNNING],
    ['active', 'rebooting', SHUTDOWN, 'active', RUNNING],
    ['active', 'rebooting', ABSENT, 'error', NOSTATE],
    ['active', 'reboot_pending', RUNNING, 'active', RUNNING],
    ['active', 'reboot_started', RUNNING, 'active', RUNNING],
    ['active', 'reboot_started', SHUTDOWN, 'active', RUNNING],
    ['active', 'rebooting_hard', RUNNING, 'active', RUNNING],
    ['active', 'reboot_pending_hard', SHUTDOWN, 'active', RUNNING],
    ['active', 'reboot_started_hard', RUNNING, 'active', RUNNING],
    ['active', 'reboot_started_hard', SHUTDOWN, 'active', RUNNING],
    ['active', 'reboot_started_hard', ABSENT, 'error', NOSTATE],
    ['active', 'image_snapshot_pending', RUNNING, 'active', RUNNING],
    ['active', 'image_snapshot', RUNNING, 'active', RUNNING],
    ['stopped', 'image_uploading', SHUTDOWN, 'stopped', SHUTDOWN],
    ['error', 'powering-off', RUNNING, 'error', RUNNING],
    ['active', null, RUNNING, 'active', RUNNING],
    ['active', null, SHUTDOWN, 'active', RUNNING],
    ['active', null, SUSPENDED, 'active', RUNNING],
    ['active', null, ABSENT, 'active', NOSTATE],
    ['stopped', null, SHUTDOWN, 'stopped', SHUTDOWN],
  ];

  it.each(table)(
    '%s, %s, machine %s → %s, machine %s',
    async (vmState, taskState, machine, vmAfter, machineAfter) => {
      await start();
      const powerState = vmState === 'stopped' ? SHUTDOWN : RUNNING;
      const { uuid } = await left({ vmState, taskState, powerState }, machine);
      await restart();
      const after = bench.get(uuid);
      expect([after.vmState, after.taskState, after.deleted]).toEqual([vmAfter, null, vmAfter === 'deleted']);
      if (machineAfter === 'gone') {
        expect(bench.traces(uuid)).toEqual([]);
      } else {
        expect(bench.driver.machines.get(uuid)?.powerState ?? NOSTATE).toBe(machineAfter);
        expect(bench.openstack.allocations.has(uuid)).toBe(true);
      }
      await restart();
      expect(bench.get(uuid)).toMatchObject({ vmState: vmAfter, taskState: null });
    },
  );
});

describe('recovery', () => {
  it('says that the build was interrupted and what to do, and gives back a port that the user gave', async () => {
    await start();
    const { uuid } = await left(
      { taskState: 'spawning', systemMetadata: { preserved_port_0: 'mine' } },
      RUNNING,
    );
    bench.openstack.addPort('mine', { device_id: uuid, 'binding:host_id': bench.host });
    await restart();
    expect(bench.instances.faults.get(uuid)?.[0]?.message).toMatch(
      /interrupted by a restart of the compute service.*create it again/,
    );
    expect(bench.get(uuid)).toMatchObject({ host: null, node: null });
    expect(bench.openstack.ports.get('mine')).toMatchObject({ device_id: '', 'binding:host_id': null });
    expect(bench.openstack.ports.size).toBe(1);
  });

  it('does not start guests when it is told not to', async () => {
    await start();
    const { uuid } = await left({ vmState: 'active', taskState: null }, SHUTDOWN);
    await restart({ resumeGuestsStateOnHostBoot: false });
    expect(bench.driver.machines.get(uuid)?.powerState).toBe(SHUTDOWN);
  });

  it('puts a guest that cannot be started again in ERROR', async () => {
    await start();
    const { uuid } = await left({ vmState: 'active', taskState: null }, SHUTDOWN);
    bench.driver.script = (method) => {
      if (method === 'powerOn')
        throw new DriverError('InstancePowerOnFailure', 'Failed to power on instance: no memory.');
    };
    await restart();
    expect(bench.get(uuid).vmState).toBe('error');
    expect(bench.instances.faults.get(uuid)?.[0]?.message).toBe('Failed to power on instance: no memory.');
  });

  it('removes machines, ports and allocations of instances that are gone, and nothing of those that it does not know', async () => {
    await start();
    const gone = await left({ vmState: 'deleted', deleted: true }, RUNNING);
    const failed = await left({ vmState: 'error', taskState: null, host: null }, RUNNING);
    const elsewhere = await left({ vmState: 'active', taskState: null, host: 'compute2' }, null);
    const scheduled = await left({ host: null }, null);
    bench.driver.machines.set('unknown', { name: 'x', powerState: RUNNING });
    await bench.allocate('unknown');
    await restart();
    for (const { uuid } of [gone, failed]) expect(bench.traces(uuid)).toEqual([]);
    expect(bench.traces(elsewhere.uuid)).toEqual(['port', 'allocation']);
    expect(bench.traces(scheduled.uuid)).toEqual(['port', 'allocation']);
    expect(bench.traces('unknown')).toEqual(['machine', 'allocation']);
    await restart({ unknownConsumers: 'remove' });
    expect(bench.traces('unknown')).toEqual(['machine']);
  });

  it('goes on with the others when one instance cannot be recovered, and finishes at the next start', async () => {
    await start();
    const first = await left({ taskState: 'spawning' }, RUNNING);
    const second = await left({ taskState: 'spawning' }, RUNNING);
    bench.driver.script = (method, uuid) => {
      if (method === 'destroy' && uuid === first.uuid) throw new DriverError('NovaException', 'File in use.');
    };
    await restart();
    expect(bench.traces(second.uuid)).toEqual([]);
    expect(bench.get(first.uuid)).toMatchObject({ vmState: 'error', taskState: null, host: bench.host });
    bench.driver.script = () => undefined;
    await bench.manager.terminateInstance(bench.ask(first.uuid, 'deleting'));
    await bench.manager.idle();
    expect(bench.traces(first.uuid)).toEqual([]);
  });

  it('killed at any of its saves, the next start ends the same', async () => {
    await start();
    const save = bench.instances.save.bind(bench.instances);
    for (const taskState of ['spawning', 'deleting', 'powering-off', 'reboot_started_hard'] as const) {
      for (let killAt = 0; killAt < 3; killAt += 1) {
        const vmState = taskState === 'spawning' ? 'building' : 'active';
        const { uuid } = await left({ vmState, taskState }, SHUTDOWN);
        let saves = 0;
        bench.instances.save = async (...args) => {
          if (args[0] === uuid && saves++ >= killAt) throw new Error('killed');
          return save(...args);
        };
        await restart();
        bench.instances.save = save;
        await restart();
        const after = bench.get(uuid);
        expect([taskState, after.taskState]).toEqual([taskState, null]);
        if (after.vmState === 'error' || after.deleted) expect(bench.traces(uuid)).toEqual([]);
      }
    }
  });

  it('starts although Placement and Neutron are not there yet', async () => {
    await start();
    bench.openstack.intercept = () => ({ status: 503 });
    await restart();
    expect(bench.services.nodes.get(bench.host)?.vcpus).toBe(8);
    bench.openstack.intercept = () => undefined;
    expect((await bench.active()).vmState).toBe('active');
  });

  it('does not start on a host that does not answer', async () => {
    await start();
    bench.driver.script = (method) => {
      if (method === 'initHost') throw new DriverError('NovaException', 'The host cannot be reached.');
    };
    await expect(restart()).rejects.toThrow('The host cannot be reached.');
    expect(bench.driver.closed).toBe(true);
  });
});

describe('planRecovery', () => {
  it('reboots softly only what runs', () => {
    const plan = (taskState: TaskState, machine: PowerState | null) =>
      planRecovery({ vmState: 'active', taskState, powerState: RUNNING }, machine, true, null);
    expect(plan('reboot_pending', RUNNING)).toEqual({ action: 'reboot', type: 'SOFT' });
    expect(plan('reboot_pending', SHUTDOWN)).toEqual({ action: 'reboot', type: 'HARD' });
    expect(plan('rebooting_hard', RUNNING)).toEqual({ action: 'reboot', type: 'HARD' });
  });
});
