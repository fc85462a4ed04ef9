import { DriverError, POWER_STATE, type LifecycleEvent } from '@nova-hyperv/driver';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_DIAGNOSTICS } from '../testing/fake-driver.js';
import { newRequestId } from '../util/request-id.js';
import { BenchHost } from '../testing/bench-host.js';

let bench: BenchHost;
beforeEach(async () => {
  bench = await BenchHost.create({ syncPowerStateIntervalSeconds: 0 });
});
afterEach(() => bench.close());

const broken =
  (...methods: readonly string[]) =>
  (method: string) => {
    if (methods.includes(method)) throw new DriverError('NovaException', `${method} failed on the host.`);
  };

describe('terminate', () => {
  it('removes machine, ports and allocation, marks the instance deleted, and records the event', async () => {
    const { uuid } = await bench.active();
    expect(bench.traces(uuid)).toEqual(['machine', 'port', 'allocation']);
    await bench.manager.terminateInstance(bench.ask(uuid, 'deleting'));
    await bench.manager.idle();
    expect(bench.traces(uuid)).toEqual([]);
    expect(bench.get(uuid)).toMatchObject({
      deleted: true,
      vmState: 'deleted',
      taskState: null,
      powerState: 0,
      networkInfo: [],
    });
    expect(bench.get(uuid).terminatedAt).toBeInstanceOf(Date);
    expect(bench.instances.events.at(-1)).toMatchObject({
      event: 'compute_terminate_instance',
      finished: true,
      error: null,
    });
  });

  it('is harmless for an instance that is gone', async () => {
    const { uuid } = await bench.active();
    const request = bench.ask(uuid, 'deleting');
    await bench.manager.terminateInstance(request);
    await bench.manager.terminateInstance(request);
    await bench.manager.terminateInstance({ instanceUuid: 'never-was', requestId: 'req-1' });
    await bench.manager.idle();
    expect(bench.get(uuid).deleted).toBe(true);
  });

  it.each([
    ['the host', () => (bench.driver.script = broken('destroy'))],
    [
      'Neutron',
      () =>
        (bench.openstack.intercept = ({ method, path }) =>
          method === 'DELETE' && path.includes('ports') ? { status: 500 } : undefined),
    ],
    [
      'Placement',
      () =>
        (bench.openstack.intercept = ({ method, path }) =>
          method === 'DELETE' && path.includes('allocations') ? { status: 500 } : undefined),
    ],
  ])('goes to ERROR when %s fails, and a second one finishes it', async (_, breakIt) => {
    const { uuid } = await bench.active();
    breakIt();
    await bench.manager.terminateInstance(bench.ask(uuid, 'deleting'));
    await bench.manager.idle();
    expect(bench.get(uuid)).toMatchObject({
      vmState: 'error',
      taskState: null,
      deleted: false,
      host: bench.host,
    });
    expect(bench.instances.faults.get(uuid)).toHaveLength(1);
    expect(bench.traces(uuid)).toHaveLength(1);
    bench.driver.script = () => undefined;
    bench.openstack.intercept = () => undefined;
    await bench.manager.terminateInstance(bench.ask(uuid, 'deleting'));
    await bench.manager.idle();
    expect(bench.get(uuid).deleted).toBe(true);
    expect(bench.traces(uuid)).toEqual([]);
  });
});

describe('stop, start', () => {
  it("gives the guest the time that its image asks for, else the configuration's", async () => {
    bench.openstack.addImage('image-1', Buffer.from('x'), { os_shutdown_timeout: '7' });
    const first = await bench.active();
    bench.openstack.addImage('image-1', Buffer.from('x'));
    const second = await bench.active();
    for (const { uuid } of [first, second]) {
      await bench.manager.stopInstance(bench.ask(uuid, 'powering-off'));
      await bench.manager.idle();
      expect(bench.get(uuid)).toMatchObject({
        vmState: 'stopped',
        taskState: null,
        powerState: POWER_STATE.SHUTDOWN,
      });
    }
    const waits = bench.driver.calls.filter(({ method }) => method === 'powerOff').map(({ args }) => args);
    expect(waits).toEqual([
      { timeoutSeconds: 7, retryIntervalSeconds: 10 },
      { timeoutSeconds: 60, retryIntervalSeconds: 10 },
    ]);
    await bench.manager.startInstance(bench.ask(first.uuid, 'powering-on'));
    await bench.manager.idle();
    expect(bench.get(first.uuid)).toMatchObject({
      vmState: 'active',
      taskState: null,
      powerState: POWER_STATE.RUNNING,
    });
    expect(bench.instances.events.map(({ event }) => event)).toContain('compute_start_instance');
  });

  it('records a fault and takes the task back when the host fails', async () => {
    const { uuid } = await bench.active();
    bench.driver.script = broken('powerOff');
    await bench.manager.stopInstance(bench.ask(uuid, 'powering-off'));
    await bench.manager.idle();
    expect(bench.get(uuid)).toMatchObject({ vmState: 'active', taskState: null });
    expect(bench.instances.faults.get(uuid)).toMatchObject([
      { code: 500, message: 'powerOff failed on the host.' },
    ]);
    expect(bench.instances.events.at(-1)).toMatchObject({
      event: 'compute_stop_instance',
      error: 'powerOff failed on the host.',
    });
  });

  it('does not touch a task that was set meanwhile', async () => {
    const { uuid } = await bench.active();
    bench.driver.script = (method) => {
      if (method === 'powerOff') bench.ask(uuid, 'deleting');
    };
    await bench.manager.stopInstance(bench.ask(uuid, 'powering-off'));
    await bench.manager.idle();
    expect(bench.get(uuid)).toMatchObject({ taskState: 'deleting', vmState: 'active' });
    expect(bench.instances.faults.size).toBe(0);
  });

  it('leaves an outdated request alone', async () => {
    const { uuid } = await bench.active();
    await bench.manager.stopInstance(bench.ask(uuid, null));
    await bench.manager.idle();
    expect(bench.driver.calls.some(({ method }) => method === 'powerOff')).toBe(false);
  });
});

describe('the queue of an instance', () => {
  it('lets a deletion touch the machine only when the stop before it has ended', async () => {
    const { uuid } = await bench.active();
    let release: (() => void) | undefined;
    bench.driver.script = (method) =>
      method === 'powerOff' ? new Promise((resolve) => (release = resolve)) : undefined;
    await bench.manager.stopInstance(bench.ask(uuid, 'powering-off'));
    await bench.manager.terminateInstance(bench.ask(uuid, 'deleting'));
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
    expect(bench.driver.calls.some(({ method }) => method === 'destroy')).toBe(false);
    release?.();
    await bench.manager.idle();
    expect(bench.get(uuid).deleted).toBe(true);
    expect(bench.driver.overlaps).toEqual([]);
  });
});

describe('reboot', () => {
  it.each([
    ['SOFT', 'rebooting', ['active/reboot_pending', 'active/reboot_started', 'active/-']],
    ['HARD', 'rebooting_hard', ['active/reboot_pending_hard', 'active/reboot_started_hard', 'active/-']],
  ] as const)('%s goes through its states', async (rebootType, task, states) => {
    const { uuid } = await bench.active();
    bench.history.set(uuid, []);
    await bench.manager.rebootInstance({ ...bench.ask(uuid, task), rebootType });
    await bench.manager.idle();
    expect(bench.history.get(uuid)).toEqual(states);
    expect(bench.driver.calls.at(-2)).toMatchObject({ method: 'reboot', args: rebootType });
  });

  it('that fails leaves a running instance active and one that is off in ERROR', async () => {
    const { uuid } = await bench.active();
    bench.driver.script = broken('reboot');
    await bench.manager.rebootInstance({ ...bench.ask(uuid, 'rebooting'), rebootType: 'SOFT' });
    await bench.manager.idle();
    expect(bench.get(uuid)).toMatchObject({ vmState: 'active', taskState: null });
    const machine = bench.driver.machines.get(uuid);
    if (machine !== undefined) machine.powerState = POWER_STATE.SHUTDOWN;
    await bench.manager.rebootInstance({ ...bench.ask(uuid, 'rebooting_hard'), rebootType: 'HARD' });
    await bench.manager.idle();
    expect(bench.get(uuid)).toMatchObject({
      vmState: 'error',
      taskState: null,
      powerState: POWER_STATE.SHUTDOWN,
    });
    expect(bench.instances.faults.get(uuid)).toHaveLength(2);
  });
});

describe('diagnostics', () => {
  it('are asked of the host while the instance runs, and refused with its state otherwise', async () => {
    const { uuid } = await bench.active();
    const request = { instanceUuid: uuid, requestId: newRequestId() };
    expect(await bench.manager.getInstanceDiagnostics(request)).toEqual(FAKE_DIAGNOSTICS);
    const machine = bench.driver.machines.get(uuid);
    if (machine !== undefined) machine.powerState = POWER_STATE.PAUSED;
    await expect(bench.manager.getInstanceDiagnostics(request)).rejects.toMatchObject({
      novaName: 'InstanceInvalidState',
      message: expect.stringContaining('in power state paused'),
    });
  });
});

describe('console output', () => {
  it('is text whatever the guest wrote, the last lines of it when asked', async () => {
    const { uuid } = await bench.active();
    bench.driver.consoleBytes = Buffer.from([
      ...Buffer.from('one\ntwo '),
      0xff,
      0x00,
      ...Buffer.from('é\nthree'),
    ]);
    const ask = (tailLength: number | null) =>
      bench.manager.getConsoleOutput({ instanceUuid: uuid, requestId: newRequestId(), tailLength });
    expect(await ask(null)).toBe('one\ntwo \uFFFD\uFFFDé\nthree');
    expect(await ask(2)).toBe('two \uFFFD\uFFFDé\nthree');
    expect(await ask(0)).toBe('');
  });

  it('is refused while the instance is built', async () => {
    const record = bench.add();
    const request = { instanceUuid: record.uuid, requestId: newRequestId(), tailLength: null };
    await expect(bench.manager.getConsoleOutput(request)).rejects.toMatchObject({
      novaName: 'InstanceNotReady',
    });
  });
});

const happen = async (
  uuid: string,
  transition: LifecycleEvent['transition'],
  powerState: 1 | 3 | 4,
): Promise<void> => {
  const machine = bench.driver.machines.get(uuid);
  if (machine !== undefined) machine.powerState = powerState;
  bench.driver.emit({ uuid, name: machine?.name ?? '', transition });
  await bench.manager.idle();
};

describe('lifecycle events', () => {
  it('a guest that shut itself down is stopped', async () => {
    const { uuid } = await bench.active();
    await happen(uuid, 'stopped', POWER_STATE.SHUTDOWN);
    expect(bench.get(uuid)).toMatchObject({
      vmState: 'stopped',
      taskState: null,
      powerState: POWER_STATE.SHUTDOWN,
    });
  });

  it('a stopped machine that somebody turned on is turned off', async () => {
    const { uuid } = await bench.active();
    await happen(uuid, 'stopped', POWER_STATE.SHUTDOWN);
    await happen(uuid, 'started', POWER_STATE.RUNNING);
    expect(bench.driver.machines.get(uuid)?.powerState).toBe(POWER_STATE.SHUTDOWN);
    expect(bench.get(uuid).vmState).toBe('stopped');
  });

  it('a state that is nobody business but the host is only noted', async () => {
    const { uuid } = await bench.active();
    await happen(uuid, 'paused', POWER_STATE.PAUSED);
    expect(bench.get(uuid)).toMatchObject({ vmState: 'active', powerState: POWER_STATE.PAUSED });
  });

  it('of an instance that lives on another host is none of our business', async () => {
    const { uuid } = await bench.active();
    bench.instances.records.set(uuid, { ...bench.get(uuid), host: 'compute2' });
    await happen(uuid, 'stopped', POWER_STATE.SHUTDOWN);
    expect(bench.get(uuid)).toMatchObject({ vmState: 'active', powerState: POWER_STATE.RUNNING });
  });

  it('what comes in the middle of a task, or is no longer true, changes nothing', async () => {
    const { uuid } = await bench.active();
    bench.ask(uuid, 'rebooting');
    await happen(uuid, 'stopped', POWER_STATE.SHUTDOWN);
    expect(bench.get(uuid)).toMatchObject({ vmState: 'active', taskState: 'rebooting' });
    bench.ask(uuid, null);
    await happen(uuid, 'stopped', POWER_STATE.RUNNING);
    expect(bench.get(uuid)).toMatchObject({ vmState: 'active', taskState: null });
    bench.driver.emit({ uuid: 'unknown', name: 'x', transition: 'started' });
    await bench.manager.idle();
  });
});

describe('stop of the service', () => {
  it('takes builds back that do not end in time, and refuses further requests', async () => {
    bench.driver.script = (method, _, signal) =>
      method === 'spawn'
        ? new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
        : undefined;
    const record = bench.add();
    await bench.build(record);
    await bench.manager.stop({ drainMs: 20 });
    expect(bench.get(record.uuid)).toMatchObject({ vmState: 'error', taskState: null });
    expect(bench.instances.faults.get(record.uuid)?.[0]?.message).toMatch(
      /stopped while the instance was being built/,
    );
    expect(bench.traces(record.uuid)).toEqual([]);
    expect(bench.driver.closed).toBe(true);
    await expect(bench.build(bench.add())).rejects.toMatchObject({ novaName: 'ComputeServiceUnavailable' });
  });
});
