import { WsmanFault, WsmanTransportError } from '@nova-hyperv/wsman';
import { describe, expect, it } from 'vitest';
import { ShapeMemory } from './shapes.js';
import { fakeClient, jobReference, row } from './test-support/fake-client.js';
import type { FakeAnswers } from './test-support/fake-client.js';
import { HostWire } from './wire.js';

function wireOf(answers: FakeAnswers) {
  const client = fakeClient(answers);
  return { client, wire: new HostWire(client, 'HV1', new ShapeMemory()) };
}

const done = (className: string, id: string) => row(className, { InstanceID: id, JobState: 7, ErrorCode: 0 });

const running = () => [
  row('Msvm_ConcreteJob', { InstanceID: 'a', JobState: 4, ErrorCode: 0, PercentComplete: 30 }),
];

describe('JobTracker', () => {
  it('asks for all jobs of different classes with one query', async () => {
    const { client, wire } = wireOf({
      query: () => [done('Msvm_ConcreteJob', 'A'), done('Msvm_StorageJob', 'b')],
    });
    await Promise.all([
      wire.jobs.wait(jobReference('Msvm_ConcreteJob', 'a'), { operation: 'x' }),
      wire.jobs.wait(jobReference('Msvm_StorageJob', 'B'), { operation: 'y' }),
    ]);
    expect(client.queries).toHaveLength(1);
    expect(client.queries[0]).toMatch(/FROM CIM_ConcreteJob WHERE InstanceID='a' OR InstanceID='B'/);
  });

  it('asks each class on a host that refuses the base class, and remembers it', async () => {
    const { client, wire } = wireOf({
      query: (wql) => {
        if (wql.includes('CIM_ConcreteJob'))
          throw new WsmanFault({ subcode: 'CannotProcessFilter', message: 'no' });
        return [
          wql.includes('Msvm_StorageJob') ? done('Msvm_StorageJob', 'b') : done('Msvm_ConcreteJob', 'a'),
        ];
      },
    });
    const both = () =>
      Promise.all([
        wire.jobs.wait(jobReference('Msvm_ConcreteJob', 'a'), { operation: 'x' }),
        wire.jobs.wait(jobReference('Msvm_StorageJob', 'b'), { operation: 'y' }),
      ]);
    await both();
    expect(client.queries).toHaveLength(3);
    await both();
    expect(client.queries).toHaveLength(5);
    expect(wire.shapes.refused().has('jobs-by-base-class')).toBe(true);
  });

  it('polls until the job ends, and tells what the host says of a failure', async () => {
    let polls = 0;
    const { wire } = wireOf({
      query: () => {
        polls += 1;
        return [
          polls < 3
            ? row('Msvm_ConcreteJob', { InstanceID: 'a', JobState: 4, ErrorCode: 0 })
            : row('Msvm_ConcreteJob', {
                InstanceID: 'a',
                JobState: 10,
                ErrorCode: 32_778,
                ErrorDescription: 'Not enough memory.',
              }),
        ];
      },
    });
    await expect(
      wire.jobs.wait(jobReference('Msvm_ConcreteJob', 'a'), { operation: 'Start' }),
    ).rejects.toMatchObject({
      code: 'HYPERV_JOB_FAILED',
      jobErrorCode: 32_778,
      message: expect.stringMatching(/Start on HV1 failed with 32778 \(out of memory\): Not enough memory\./),
    });
    expect(polls).toBe(3);
  });

  it('reads the details where the job itself has none', async () => {
    const { wire } = wireOf({
      query: () => [row('Msvm_ConcreteJob', { InstanceID: 'a', JobState: 10, ErrorCode: 32_768 })],
      invoke: () => ({
        returnValue: 0,
        out: {
          Errors: [
            '<INSTANCE CLASSNAME="Msvm_Error"><PROPERTY NAME="Message" TYPE="string"><VALUE>disk gone</VALUE></PROPERTY></INSTANCE>',
          ],
        },
      }),
    });
    await expect(wire.jobs.wait(jobReference('Msvm_ConcreteJob', 'a'), { operation: 'x' })).rejects.toThrow(
      /disk gone/,
    );
  });

  it('gives up a job that vanished, one that takes too long, and one that nobody waits for', async () => {
    const vanished = wireOf({});
    await expect(
      vanished.wire.jobs.wait(jobReference('Msvm_ConcreteJob', 'a'), { operation: 'x' }),
    ).rejects.toMatchObject({
      code: 'HYPERV_JOB_VANISHED',
    });
    const late = wireOf({ query: running });
    await expect(
      late.wire.jobs.wait(jobReference('Msvm_ConcreteJob', 'a'), { operation: 'x', deadlineMs: 30 }),
    ).rejects.toMatchObject({ code: 'HYPERV_DEADLINE', message: expect.stringContaining('30 %') });
    const abort = new AbortController();
    const waiting = wireOf({ query: running }).wire.jobs.wait(jobReference('Msvm_ConcreteJob', 'a'), {
      operation: 'x',
      signal: abort.signal,
    });
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'HYPERV_ABORTED' });
  });

  it('survives a poll that fails now and then, and not one that always does', async () => {
    let polls = 0;
    const flaky = wireOf({
      query: () => {
        polls += 1;
        if (polls < 3) throw new Error('the line broke');
        return [done('Msvm_ConcreteJob', 'a')];
      },
    });
    await flaky.wire.jobs.wait(jobReference('Msvm_ConcreteJob', 'a'), { operation: 'x' });
    const dead = wireOf({
      query: () => {
        throw new Error('the line broke');
      },
    });
    await expect(
      dead.wire.jobs.wait(jobReference('Msvm_ConcreteJob', 'a'), { operation: 'x', deadlineMs: 100 }),
    ).rejects.toThrow('the line broke');
    let logins = 0;
    const locked = wireOf({
      query: () => {
        logins += 1;
        throw new WsmanTransportError('WSMAN_UNAUTHORIZED', 'no');
      },
    });
    await expect(
      locked.wire.jobs.wait(jobReference('Msvm_ConcreteJob', 'a'), { operation: 'x' }),
    ).rejects.toMatchObject({ code: 'WSMAN_UNAUTHORIZED' });
    expect(logins).toBe(1);
  });

  it('ends every wait for one job', async () => {
    const { wire } = wireOf({ query: () => [done('Msvm_ConcreteJob', 'a')] });
    const wait = () => wire.jobs.wait(jobReference('Msvm_ConcreteJob', 'a'), { operation: 'x' });
    await Promise.all([wait(), wait()]);
  });

  it('ends all waits when it is closed', async () => {
    const { wire } = wireOf({});
    const waiting = wire.jobs.wait(jobReference('Msvm_ConcreteJob', 'a'), { operation: 'x' });
    wire.jobs.close();
    await expect(waiting).rejects.toMatchObject({ code: 'HYPERV_ABORTED' });
  });
});

describe('HostWire.call', () => {
  const service = jobReference('Msvm_VirtualSystemManagementService', '');

  it('takes 4 for "invalid parameter" unless there is a job', async () => {
    const { wire } = wireOf({ invoke: () => ({ returnValue: 4, out: {} }) });
    await expect(wire.call(service, 'DefineSystem', {})).rejects.toMatchObject({
      code: 'HYPERV_REFUSED',
      returnValue: 4,
    });
    const withJob = wireOf({
      invoke: () => ({ returnValue: 4, out: { Job: jobReference('Msvm_ConcreteJob', 'a') } }),
      query: () => [done('Msvm_ConcreteJob', 'a')],
    });
    await expect(withJob.wire.call(service, 'DefineSystem', {})).resolves.toMatchObject({ returnValue: 4 });
  });

  it('asks again while the object is in use, as often as allowed', async () => {
    let calls = 0;
    const { wire } = wireOf({
      invoke: () => {
        calls += 1;
        return { returnValue: calls < 3 ? 32_774 : 0, out: {} };
      },
    });
    await wire.call(service, 'ModifyResourceSettings', {}, { busyRetries: 5 });
    expect(calls).toBe(3);
    calls = -10;
    await expect(wire.call(service, 'ModifyResourceSettings', {}, { busyRetries: 1 })).rejects.toMatchObject({
      returnValue: 32_774,
    });
  });
});
