import { DriverError, POWER_STATE, type Flavor, type PowerState } from '@nova-hyperv/driver';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { InstanceRecord, MigrationRecord, MigrationStatus, TaskState, VmState } from '../ports.js';
import { BenchHost } from '../testing/bench-host.js';
import type { DriverMethod } from '../testing/fake-driver.js';

const { RUNNING, SHUTDOWN } = POWER_STATE;

let bench: BenchHost;
beforeEach(async () => {
  bench = await BenchHost.create({ syncPowerStateIntervalSeconds: 0 });
});
afterEach(() => bench.close());

const larger = (flavor: Flavor): Flavor => ({ ...flavor, flavorId: '2', name: 'm1.small', vcpus: 2 });

const broken =
  (methods: readonly DriverMethod[], error: () => Error) =>
  (method: DriverMethod): void => {
    if (methods.includes(method)) throw error();
  };
const hostFails = (...methods: readonly DriverMethod[]) =>
  broken(methods, () => new DriverError('NovaException', `${methods.join()} failed on the host.`));

interface Resize {
  readonly record: InstanceRecord;
  readonly migration: MigrationRecord;
}

async function resize(vmState: 'active' | 'stopped' = 'active'): Promise<Resize> {
  const { uuid } = await bench.active();
  if (vmState === 'stopped') {
    await bench.manager.stopInstance(bench.ask(uuid, 'powering-off'));
    await bench.manager.idle();
  }
  bench.history.set(uuid, []);
  const flavor = larger(bench.get(uuid).flavor);
  const migration = await bench.migration(uuid, flavor);
  const request = { ...bench.ask(uuid, 'resize_prep'), migrationUuid: migration.uuid };
  await bench.manager.prepResize({ ...request, flavor });
  await bench.manager.idle();
  return { record: bench.get(uuid), migration };
}

async function follow(
  { record, migration }: Resize,
  what: 'confirmResize' | 'revertResize',
): Promise<InstanceRecord> {
  const task = what === 'revertResize' ? 'resize_reverting' : null;
  await bench.migrations.save(migration.uuid, { status: task === null ? 'confirming' : 'reverting' });
  await bench.manager[what]({ ...bench.ask(record.uuid, task), migrationUuid: migration.uuid });
  await bench.manager.idle();
  return bench.get(record.uuid);
}

const status = ({ migration }: Resize) => bench.migrations.records.get(migration.uuid)?.status;

describe('a resize', () => {
  it.each(['active', 'stopped'] as const)(
    'of an instance that is %s goes through its states',
    async (was) => {
      const resized = await resize(was);
      const { uuid } = resized.record;
      expect(bench.history.get(uuid)).toEqual([
        `${was}/resize_prep`,
        `${was}/resize_migrating`,
        `${was}/resize_migrated`,
        `${was}/resize_finish`,
        'resized/-',
      ]);
      expect(resized.record).toMatchObject({
        flavor: { name: 'm1.small' },
        oldFlavor: { name: 'm1.tiny' },
        newFlavor: { name: 'm1.small' },
        powerState: was === 'active' ? RUNNING : SHUTDOWN,
      });
      expect(status(resized)).toBe('finished');
      expect([bench.vcpus(uuid), bench.vcpus(resized.migration.uuid)]).toEqual([2, 1]);
      expect(bench.instances.events.slice(-3).map(({ event, error }) => [event, error])).toEqual([
        ['compute_prep_resize', null],
        ['compute_resize_instance', null],
        ['compute_finish_resize', null],
      ]);
      const confirmed = await follow(resized, 'confirmResize');
      expect(confirmed).toMatchObject({ vmState: was, taskState: null, oldFlavor: null, newFlavor: null });
      expect(confirmed.systemMetadata).not.toHaveProperty('old_vm_state');
      expect(status(resized)).toBe('confirmed');
      expect([bench.vcpus(uuid), bench.vcpus(resized.migration.uuid)]).toEqual([2, undefined]);
      expect(bench.driver.kept.size).toBe(0);
    },
  );

  it.each(['active', 'stopped'] as const)('of an instance that is %s is reverted', async (was) => {
    const resized = await resize(was);
    const reverted = await follow(resized, 'revertResize');
    expect(reverted).toMatchObject({
      vmState: was,
      taskState: null,
      flavor: { name: 'm1.tiny' },
      oldFlavor: null,
      newFlavor: null,
      powerState: was === 'active' ? RUNNING : SHUTDOWN,
    });
    expect(status(resized)).toBe('reverted');
    expect([bench.vcpus(reverted.uuid), bench.vcpus(resized.migration.uuid)]).toEqual([1, undefined]);
    expect(bench.driver.sizes.get(reverted.uuid)).toBe('m1.tiny');
    expect(bench.instances.events.slice(-2).map(({ event }) => event)).toEqual([
      'compute_revert_resize',
      'compute_finish_revert_resize',
    ]);
  });

  it.each<[string, () => void, RegExp]>([
    [
      'the old size cannot be kept',
      () => (bench.driver.script = hostFails('migrateDiskAndPowerOff')),
      /migrateDiskAndPowerOff failed/,
    ],
    [
      'the new size cannot be given',
      () => (bench.driver.script = hostFails('finishMigration')),
      /finishMigration failed/,
    ],
    [
      'the host has no room for both',
      () => (bench.driver.resources = { ...bench.driver.resources, vcpus: 1 }),
      /Insufficient compute resources/,
    ],
  ])('that fails because %s leaves the instance as it was', async (_, breakIt, message) => {
    breakIt();
    await bench.manager.stop();
    await bench.restart({ cpuAllocationRatio: 1, syncPowerStateIntervalSeconds: 0 });
    const failed = await resize();
    expect(failed.record).toMatchObject({
      vmState: 'active',
      taskState: null,
      powerState: RUNNING,
      flavor: { name: 'm1.tiny' },
      oldFlavor: null,
      newFlavor: null,
    });
    expect(bench.instances.faults.get(failed.record.uuid)?.[0]?.message).toMatch(message);
    expect(status(failed)).toBe('error');
    expect([bench.vcpus(failed.record.uuid), bench.vcpus(failed.migration.uuid)]).toEqual([1, undefined]);
    expect(bench.driver.kept.size).toBe(0);
  });

  it('that can be led neither forward nor back ends in ERROR', async () => {
    bench.driver.script = hostFails('finishMigration', 'finishRevertMigration');
    const failed = await resize();
    expect(failed.record).toMatchObject({ vmState: 'error', taskState: null });
    expect(status(failed)).toBe('error');
    expect(bench.instances.faults.get(failed.record.uuid)?.[0]?.message).toMatch(/finishMigration/);
  });

  it('whose revert is refused waits to be confirmed', async () => {
    const resized = await resize();
    bench.driver.script = broken(
      ['finishRevertMigration'],
      () => new DriverError('CannotResizeDisk', 'Server disk was unable to be resized because: full'),
    );
    const after = await follow(resized, 'revertResize');
    expect(after).toMatchObject({ vmState: 'resized', taskState: null, flavor: { name: 'm1.small' } });
    expect(status(resized)).toBe('finished');
    bench.driver.script = () => undefined;
    expect(await follow(resized, 'confirmResize')).toMatchObject({ vmState: 'active' });
  });

  it('whose confirmation fails can be confirmed again', async () => {
    const resized = await resize();
    bench.driver.script = hostFails('confirmMigration');
    expect(await follow(resized, 'confirmResize')).toMatchObject({ vmState: 'resized', taskState: null });
    expect(status(resized)).toBe('finished');
    bench.driver.script = () => undefined;
    expect(await follow(resized, 'confirmResize')).toMatchObject({ vmState: 'active' });
  });

  it('is over when its instance is deleted, at any step', async () => {
    const steps: readonly (DriverMethod | null)[] = ['migrateDiskAndPowerOff', 'finishMigration', null];
    for (const step of steps) {
      bench.driver.script = (method, uuid) => {
        if (method !== step) return;
        void bench.manager.terminateInstance(bench.ask(uuid, 'deleting'));
      };
      const { record, migration } = await resize();
      bench.driver.script = () => undefined;
      if (step === null) await bench.manager.terminateInstance(bench.ask(record.uuid, 'deleting'));
      await bench.manager.idle();
      expect(bench.get(record.uuid)).toMatchObject({ deleted: true });
      expect(bench.traces(record.uuid)).toEqual([]);
      expect(bench.openstack.allocations.has(migration.uuid)).toBe(false);
      expect(bench.migrations.records.get(migration.uuid)?.status).toBe(
        step === 'migrateDiskAndPowerOff' ? 'error' : 'confirmed',
      );
    }
  });

  it('is confirmed by itself after the window', async () => {
    const resized = await resize();
    await bench.manager.stop();
    const old = { ...resized.migration, status: 'finished' as const, destCompute: bench.host };
    bench.migrations.records.set(old.uuid, { ...old, updatedAt: new Date(Date.now() - 60_000) });
    await bench.restart({ resizeConfirmWindowSeconds: 1, syncPowerStateIntervalSeconds: 0 });
    await expect.poll(() => bench.get(resized.record.uuid).vmState, { timeout: 5000 }).toBe('active');
    expect(status(resized)).toBe('confirmed');
  });

  it('keeps what the migration holds while it is in progress, and no longer', async () => {
    const resized = await resize();
    await bench.restart({ syncPowerStateIntervalSeconds: 0 });
    expect(bench.vcpus(resized.migration.uuid)).toBe(1);
    await bench.migrations.save(resized.migration.uuid, { status: 'error' });
    await bench.restart({ syncPowerStateIntervalSeconds: 0 });
    expect(bench.vcpus(resized.migration.uuid)).toBeUndefined();
  });

  it('leaves an outdated request alone', async () => {
    const resized = await resize();
    await follow(resized, 'confirmResize');
    const calls = bench.driver.calls.length;
    await follow(resized, 'confirmResize');
    expect(bench.driver.calls).toHaveLength(calls);
  });
});

describe('a resize that a kill cut short', () => {
  type Left = readonly [
    VmState,
    TaskState,
    MigrationStatus | null,
    PowerState,
    kept: boolean,
    after: VmState,
    machine: PowerState,
    flavor: string,
    moved: MigrationStatus | null,
  ];
  const table: readonly Left[] = [
    ['active', 'resize_prep', null, RUNNING, false, 'active', RUNNING, 'm1.tiny', null],
    ['active', 'resize_prep', 'pre-migrating', RUNNING, false, 'active', RUNNING, 'm1.tiny', 'error'],
    ['active', 'resize_migrating', 'migrating', RUNNING, false, 'active', RUNNING, 'm1.tiny', 'error'],
    ['active', 'resize_migrating', 'migrating', SHUTDOWN, false, 'active', RUNNING, 'm1.tiny', 'error'],
    ['active', 'resize_migrating', 'post-migrating', SHUTDOWN, true, 'active', RUNNING, 'm1.tiny', 'error'],
    ['active', 'resize_migrated', 'post-migrating', SHUTDOWN, true, 'active', RUNNING, 'm1.tiny', 'error'],
    ['active', 'resize_finish', 'post-migrating', SHUTDOWN, true, 'active', RUNNING, 'm1.tiny', 'error'],
    ['active', 'resize_finish', 'finished', RUNNING, true, 'active', RUNNING, 'm1.tiny', 'error'],
    ['stopped', 'resize_finish', 'finished', SHUTDOWN, true, 'stopped', SHUTDOWN, 'm1.tiny', 'error'],
    ['resized', null, 'finished', RUNNING, true, 'resized', RUNNING, 'm1.small', 'finished'],
    ['resized', null, 'finished', SHUTDOWN, true, 'resized', RUNNING, 'm1.small', 'finished'],
    ['resized', null, 'confirming', RUNNING, true, 'active', RUNNING, 'm1.small', 'confirmed'],
    ['resized', null, 'confirmed', RUNNING, false, 'active', RUNNING, 'm1.small', 'confirmed'],
    ['resized', 'resize_reverting', 'reverting', RUNNING, true, 'active', RUNNING, 'm1.tiny', 'reverted'],
    ['resized', 'resize_reverting', 'reverting', SHUTDOWN, false, 'active', RUNNING, 'm1.tiny', 'reverted'],
    ['resized', 'resize_reverting', 'reverted', RUNNING, false, 'active', RUNNING, 'm1.tiny', 'reverted'],
  ];
  const withNew: ReadonlySet<TaskState> = new Set(['resize_finish', 'resize_reverting', null]);

  it.each(table)(
    '%s, %s, migration %s, machine %s, kept %s → %s',
    async (vmState, taskState, moving, machine, kept, after, machineAfter, flavor, moved) => {
      const { uuid, flavor: tiny } = await bench.active();
      const small = larger(tiny);
      const migration = moving === null ? null : await bench.migration(uuid, small, { status: moving });
      const old = vmState === 'stopped' ? 'stopped' : 'active';
      bench.instances.records.set(uuid, {
        ...bench.get(uuid),
        vmState,
        taskState,
        flavor: withNew.has(taskState) ? small : tiny,
        oldFlavor: taskState === 'resize_prep' || taskState === 'resize_migrating' ? null : tiny,
        newFlavor: small,
        systemMetadata: { old_vm_state: old },
        powerState: vmState === 'stopped' ? SHUTDOWN : RUNNING,
      });
      bench.driver.machines.set(uuid, { name: bench.get(uuid).name, powerState: machine });
      bench.driver.sizes.set(uuid, withNew.has(taskState) && kept ? 'm1.small' : flavor);
      if (kept) bench.driver.kept.set(uuid, 'm1.tiny');
      await bench.manager.stop();
      await bench.restart({ syncPowerStateIntervalSeconds: 0 });
      await bench.manager.idle();
      expect(bench.get(uuid)).toMatchObject({ vmState: after, taskState: null, flavor: { name: flavor } });
      expect(bench.driver.machines.get(uuid)?.powerState).toBe(machineAfter);
      expect(bench.driver.sizes.get(uuid)).toBe(flavor);
      expect(migration === null ? null : bench.migrations.records.get(migration.uuid)?.status).toBe(moved);
      const waits = after === 'resized';
      expect(bench.driver.kept.has(uuid)).toBe(waits);
      if (migration !== null && moving !== 'reverted' && moving !== 'confirmed')
        expect([bench.vcpus(uuid), bench.vcpus(migration.uuid)]).toEqual([
          flavor === 'm1.small' ? 2 : 1,
          waits ? 1 : undefined,
        ]);
    },
  );
});
