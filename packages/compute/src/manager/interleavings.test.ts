import { DriverError, POWER_STATE } from '@nova-hyperv/driver';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TaskState } from '../ports.js';
import { BenchHost } from '../testing/bench-host.js';

type Operation = 'build' | 'stop' | 'start' | 'soft' | 'hard' | 'delete' | 'guest-off' | 'wait';
const OPERATIONS: readonly Operation[] = [
  'build',
  'stop',
  'start',
  'soft',
  'hard',
  'delete',
  'guest-off',
  'wait',
];
const INSTANCES = 3;

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/** What the compute API does before it casts: refuses what the state does not allow, sets the task. */
async function ask(bench: BenchHost, uuids: string[], index: number, operation: Operation): Promise<void> {
  const uuid = uuids[index];
  if (operation === 'wait') return pause(3);
  if (uuid === undefined || bench.get(uuid).deleted) {
    if (operation !== 'build') return;
    const record = bench.add();
    uuids[index] = record.uuid;
    return bench.build(record);
  }
  const { vmState, taskState } = bench.get(uuid);
  const take = (task: TaskState) => bench.ask(uuid, task);
  if (operation === 'delete' && taskState !== 'deleting')
    return bench.manager.terminateInstance(take('deleting'));
  if (operation === 'guest-off' && bench.driver.machines.get(uuid)?.powerState === POWER_STATE.RUNNING) {
    bench.driver.machines.set(uuid, { name: 'guest', powerState: POWER_STATE.SHUTDOWN });
    bench.driver.emit({ uuid, name: 'guest', transition: 'stopped' });
    return;
  }
  if (taskState !== null) return;
  if (operation === 'stop' && vmState === 'active') await bench.manager.stopInstance(take('powering-off'));
  if (operation === 'start' && vmState === 'stopped') await bench.manager.startInstance(take('powering-on'));
  if (vmState !== 'active') return;
  if (operation === 'soft') await bench.manager.rebootInstance({ ...take('rebooting'), rebootType: 'SOFT' });
  if (operation === 'hard')
    await bench.manager.rebootInstance({ ...take('rebooting_hard'), rebootType: 'HARD' });
}

/** The state in the end must be one that a user can go on from, and the outside must agree with it. */
function checkConsistent(bench: BenchHost, uuid: string): void {
  const record = bench.get(uuid);
  const traces = bench.traces(uuid);
  if (record.deleted || (record.vmState === 'error' && record.host === null)) {
    expect(traces).toEqual([]);
    return;
  }
  if (record.vmState === 'building') {
    expect([record.taskState, record.host, traces]).toEqual(['scheduling', null, []]);
    expect(bench.reschedules.some((one) => one.uuid === uuid && one.retryable)).toBe(true);
    return;
  }
  expect(record.taskState).toBeNull();
  const power = bench.driver.machines.get(uuid)?.powerState;
  if (record.vmState === 'active') expect(power).toBe(POWER_STATE.RUNNING);
  else if (record.vmState === 'stopped') expect(power).toBe(POWER_STATE.SHUTDOWN);
  else expect(record.vmState).toBe('error');
}

const step = fc.record({
  index: fc.nat(INSTANCES - 1),
  operation: fc.constantFrom(...OPERATIONS),
  delayMs: fc.nat(3),
});
const trouble = fc.array(fc.constantFrom('fine', 'fine', 'slow', 'refuse', 'fail'), {
  minLength: 1,
  maxLength: 12,
});

describe('random interleavings', () => {
  it('end in a consistent state, and operations of one instance never overlap', async () => {
    const property = fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 30 }),
      trouble,
      async (steps, troubles) => {
        const bench = await BenchHost.create({ syncPowerStateIntervalSeconds: 0 });
        try {
          let calls = 0;
          bench.driver.script = async (method) => {
            if (method === 'getInfo' || method === 'hostResources' || method === 'destroy') return;
            const what = troubles[calls++ % troubles.length];
            await pause(what === 'slow' ? 4 : 0);
            if (what === 'refuse') throw new DriverError('InstanceUnacceptable', 'no');
            if (what === 'fail') throw new DriverError('NovaException', 'broken');
          };
          const uuids: string[] = [];
          for (const { index, operation, delayMs } of steps) {
            await ask(bench, uuids, index, operation);
            await pause(delayMs);
          }
          await bench.manager.idle();
          bench.driver.script = () => undefined;
          // With the look at all power states after start: a sync may have failed before.
          await bench.restart();
          await pause(30);
          await bench.manager.idle();
          for (const { uuid } of bench.instances.records.values()) checkConsistent(bench, uuid);
          expect(bench.driver.overlaps).toEqual([]);
          expect(bench.instances.events.every(({ finished }) => finished)).toBe(true);
        } finally {
          await bench.close();
        }
      },
    );
    await fc.assert(property, { numRuns: 40 });
  });

  it('killed anywhere, the next start brings every instance to ACTIVE, ERROR or gone', async () => {
    const property = fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 20 }),
      fc.nat(60),
      async (steps, killAt) => {
        const bench = await BenchHost.create({ syncPowerStateIntervalSeconds: 0 });
        try {
          // From a certain save on nothing of the killed process reaches store, host or services any more.
          const save = bench.instances.save.bind(bench.instances);
          const { intercept } = bench.openstack;
          let saves = 0;
          let killed = false;
          const dead = (): void => {
            if (killed) throw new Error('killed');
          };
          bench.driver.script = () => dead();
          bench.instances.save = async (...args) => {
            killed ||= saves++ >= killAt;
            dead();
            return save(...args);
          };
          bench.openstack.intercept = () => (killed ? { status: 500 } : undefined);
          const uuids: string[] = [];
          for (const { index, operation, delayMs } of steps) {
            await ask(bench, uuids, index, operation).catch(() => undefined);
            await pause(delayMs);
          }
          if (!killed) await pause(1);
          killed = true;
          await bench.manager.idle();
          bench.instances.save = save;
          bench.openstack.intercept = intercept;
          bench.driver.script = () => undefined;
          await bench.restart({ syncPowerStateIntervalSeconds: 0 });
          await bench.manager.idle();
          for (const record of bench.instances.records.values()) {
            // What no host had taken yet is the scheduler's to settle.
            if (record.host === null && record.vmState === 'building') continue;
            checkConsistent(bench, record.uuid);
          }
        } finally {
          await bench.close();
        }
      },
    );
    await fc.assert(property, { numRuns: 40 });
  });
});
