import { EventEmitter, once } from 'node:events';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { V2, v2 } from '../cim.js';
import { EngineError } from '../engine/engine.js';
import { settingsId, settingsReference, systemReference } from '../machines/model.js';
import { add, buildMachine, destroy, pathOf, power, stateOf } from '../testing/machine-client.js';
import type { Built } from '../testing/machine-client.js';
import { wanted } from '../testing/rule-host.js';
import { SteppedPace } from '../testing/stepped.js';
import {
  MANAGEMENT,
  call,
  codeOf,
  defineMachine,
  finishedJob,
  first,
  referencesOf,
  startTestHost,
  succeed,
} from '../testing/test-host.js';
import type { TestHost } from '../testing/test-host.js';

let test: TestHost;

beforeEach(async () => {
  test = await startTestHost();
});

afterEach(async () => {
  await test.close();
});

const OFF = 3;
const RUNNING = 2;
const PAUSED = 9;

async function bring(built: Built, state: number): Promise<void> {
  if (state === OFF) return;
  expect(await power(test, built.id, RUNNING)).toBe(0);
  if (state === PAUSED) expect(await power(test, built.id, PAUSED)).toBe(0);
}

describe('RequestStateChange', () => {
  it.each([
    [OFF, 2, 0, RUNNING],
    [OFF, 3, 32775, OFF],
    [OFF, 6, 32775, OFF],
    [OFF, 9, 32775, OFF],
    [OFF, 11, 32775, OFF],
    [RUNNING, 2, 32775, RUNNING],
    [RUNNING, 3, 0, OFF],
    [RUNNING, 6, 32770, RUNNING],
    [RUNNING, 9, 0, PAUSED],
    [RUNNING, 11, 0, RUNNING],
    [PAUSED, 2, 0, RUNNING],
    [PAUSED, 3, 0, OFF],
    [PAUSED, 9, 32775, PAUSED],
    [PAUSED, 11, 0, RUNNING],
    [RUNNING, 77, 32773, RUNNING],
    [RUNNING, 10, 32775, RUNNING],
  ])('from %i, %i answers %i and leaves %i', async (from, requested, code, then) => {
    const built = await buildMachine(test, 'vm');
    await bring(built, from);
    expect(await power(test, built.id, requested)).toBe(code);
    expect(await stateOf(test, built.id)).toBe(then);
  });

  it('while a job affects the machine, state changes and destroying answer 32775; the state on the way is seen', async () => {
    const pace = new SteppedPace();
    await test.close();
    test = await startTestHost({ pace: pace.wait });
    pace.release();
    const { id } = await buildMachine(test, 'vm');
    const gate = new EventEmitter();
    test.engine.hold = once(gate, 'open').then(() => undefined);
    const begun = await test.client.invoke(systemReference(id), 'RequestStateChange', { RequestedState: 2 });
    await pace.settled();
    expect(await stateOf(test, id)).toBe(10);
    expect(await power(test, id, 3)).toBe(32775);
    gate.emit('open');
    const job = await finishedJob(test.client, first(referencesOf(begun.out['Job'])));
    expect(job.properties['JobState']).toBe(7);
    expect(await stateOf(test, id)).toBe(RUNNING);
  });

  it.each([
    ['DISK_IN_USE', 32774],
    ['FILE_NOT_FOUND', 32779],
    ['OUT_OF_MEMORY', 32778],
    ['FAILED', 32768],
  ] as const)(
    'a start that the engine refuses with %s ends in a failed job with %i, and the machine is off',
    async (failure, code) => {
      const { id } = await buildMachine(test, 'vm');
      test.engine.failures.set('start', new EngineError(failure, 'no'));
      expect(await power(test, id, RUNNING)).toBe(code);
      expect(await stateOf(test, id)).toBe(OFF);
      expect(await power(test, id, RUNNING)).toBe(0);
    },
  );

  it('a disk file that is gone fails the start', async () => {
    const { id } = await buildMachine(test, 'vm');
    rmSync(path.join(test.host.driveC, 'vms', 'vm.vhdx'));
    expect(await power(test, id, RUNNING)).toBe(32779);
  });

  it('a file that another running machine holds fails the start', async () => {
    const one = await buildMachine(test, 'one');
    const two = await buildMachine(test, 'two', {}, String.raw`c:\VMS\one.vhdx`);
    expect(await power(test, one.id, RUNNING)).toBe(0);
    expect(await power(test, two.id, RUNNING)).toBe(32774);
    expect(await power(test, one.id, OFF)).toBe(0);
    expect(await power(test, two.id, RUNNING)).toBe(0);
  });

  it('more memory than the host has fails the start', async () => {
    const { id } = await buildMachine(test, 'vm');
    const memory = first(
      await test.client.query(
        V2,
        `SELECT * FROM Msvm_MemorySettingData WHERE InstanceID LIKE '${settingsId(id)}%'`,
      ),
    );
    const settings = v2('Msvm_MemorySettingData', {
      InstanceID: memory.instance.properties['InstanceID'] ?? null,
      VirtualQuantity: 65_537n,
    });
    await succeed(test.client, MANAGEMENT, 'ModifyResourceSettings', { ResourceSettings: [settings] });
    expect(await power(test, id, RUNNING)).toBe(32778);
  });

  it('a NIC without a static MAC gets one of the pool when the machine first starts, and keeps it', async () => {
    const { id } = await buildMachine(test, 'vm');
    await power(test, id, RUNNING);
    const mac = test.engine.running.get(id)?.nics[0]?.mac;
    expect(mac).toMatch(/^00:15:5d:/);
    await power(test, id, OFF);
    await power(test, id, RUNNING);
    expect(test.engine.running.get(id)?.nics[0]?.mac).toBe(mac);
  });
});

describe('guests', () => {
  it('the shutdown component exists while the machine runs; a guest that listens stops', async () => {
    const { id } = await buildMachine(test, 'vm');
    const query = `SELECT * FROM Msvm_ShutdownComponent WHERE SystemName = '${id}'`;
    expect(await test.client.query(V2, query)).toHaveLength(0);
    await power(test, id, RUNNING);
    const component = first(await test.client.query(V2, query));
    const { returnValue } = await test.client.invoke(component.reference, 'InitiateShutdown', {
      Force: false,
      Reason: 'test',
    });
    expect(returnValue).toBe(0);
    await expect.poll(() => stateOf(test, id)).toBe(OFF);
    expect(await test.client.query(V2, query)).toHaveLength(0);
  });

  it('a guest that crashes leaves its machine off', async () => {
    const { id } = await buildMachine(test, 'vm');
    await power(test, id, RUNNING);
    test.engine.stop(id, 'crash');
    await expect.poll(() => stateOf(test, id)).toBe(OFF);
  });

  it('disks and NICs are hot-plugged, unplugged and re-connected', async () => {
    const built = await buildMachine(test, 'vm');
    await power(test, built.id, RUNNING);
    test.engine.calls.length = 0;
    const drive = await add(
      test,
      built.id,
      wanted('disk-drive', { Parent: pathOf(built.controller), AddressOnParent: '3' }),
    );
    await buildMachine(test, 'other');
    const disk = await add(
      test,
      built.id,
      wanted('hard-disk', { Parent: pathOf(drive), HostResource: [String.raw`C:\vms\other.vhdx`] }),
    );
    await succeed(test.client, MANAGEMENT, 'ModifyResourceSettings', {
      ResourceSettings: [
        v2('Msvm_EthernetPortAllocationSettingData', { ...built.connection.keys, EnabledState: 3 }),
      ],
    });
    for (const reference of [disk, drive, built.nic]) {
      await succeed(test.client, MANAGEMENT, 'RemoveResourceSettings', { ResourceSettings: [reference] });
    }
    const nicId = built.nic.keys['InstanceID']?.split('\\')[1] ?? '';
    expect(test.engine.calls.map((one) => one.replace(`${built.id} `, ''))).toStrictEqual([
      'attachDrive scsi-0-3',
      'attachDrive scsi-0-3',
      `connectNic ${nicId} none`,
      'attachDrive scsi-0-3',
      'detachDrive scsi-0-3',
      `detachNic ${nicId}`,
    ]);
  });

  it('a hot-plug that fails leaves the settings as they were', async () => {
    const built = await buildMachine(test, 'vm');
    await power(test, built.id, RUNNING);
    test.engine.failures.set('attachNic', new EngineError('UNSUPPORTED', 'no slot'));
    const outcome = await call(test.client, MANAGEMENT, 'AddResourceSettings', {
      AffectedConfiguration: settingsReference(built.id),
      ResourceSettings: [wanted('synthetic-nic')],
    });
    expect(codeOf(outcome)).toBe(32770);
    const nics = await test.client.query(
      V2,
      `SELECT * FROM Msvm_SyntheticEthernetPortSettingData WHERE InstanceID LIKE '${settingsId(built.id)}%'`,
    );
    expect(nics).toHaveLength(1);
  });
});

describe('destroying', () => {
  it('not while it runs; disk files stay', async () => {
    const { id } = await buildMachine(test, 'vm');
    await power(test, id, RUNNING);
    expect(await destroy(test, id)).toBe(32775);
    await power(test, id, OFF);
    expect(await destroy(test, id)).toBe(0);
    await expect(test.client.get(systemReference(id))).rejects.toMatchObject({ hresult: 0x80041002 });
    const files = await test.client.query(
      'root/cimv2',
      String.raw`SELECT * FROM CIM_DataFile WHERE Name = 'C:\\vms\\vm.vhdx'`,
    );
    expect(files).toHaveLength(1);
  });

  it('what is gone is not found by any method', async () => {
    const id = await defineMachine(test.client);
    await destroy(test, id);
    await expect(destroy(test, id)).rejects.toMatchObject({ hresult: 0x80041002 });
  });
});
