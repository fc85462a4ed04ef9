import type { CimReference } from '@nova-hyperv/wsman';
import { describe, expect, it } from 'vitest';
import { numberOf, settingReference } from './cim.js';
import { HV, HyperVError } from './errors.js';
import { newGuid } from './base/host-state.js';
import { JOB, JobManager } from './jobs.js';
import type { JobControl, JobRequest } from './jobs.js';
import { NO_HINT } from './store/wql.js';
import { SteppedClock, SteppedPace } from './testing/stepped.js';

function manager(): { jobs: JobManager; clock: SteppedClock; pace: SteppedPace } {
  const clock = new SteppedClock();
  const pace = new SteppedPace();
  return { jobs: new JobManager({ clock, pace: pace.wait, newGuid }), clock, pace };
}

function request(work: (control: JobControl) => Promise<void>, more: Partial<JobRequest> = {}): JobRequest {
  return { className: 'Msvm_ConcreteJob', caption: 'Testing', jobType: 0, affects: [], work, ...more };
}

function idOf(job: CimReference): string {
  return job.keys['InstanceID'] ?? '';
}

async function stateOf(jobs: JobManager, job: CimReference): Promise<number | undefined> {
  for (const source of jobs.sources()) {
    for (const instance of await source.list(NO_HINT)) {
      if (instance.properties['InstanceID'] === idOf(job)) return numberOf(instance.properties['JobState']);
    }
  }
  return undefined;
}

describe('jobs', () => {
  it('go 2, 3, 4, 7', async () => {
    const { jobs, pace } = manager();
    const seen: string[] = [];
    const job = jobs.start(request(() => Promise.resolve(void seen.push('worked'))));
    expect(await stateOf(jobs, job)).toBe(JOB.new);
    await pace.step();
    expect(await stateOf(jobs, job)).toBe(JOB.starting);
    expect(seen).toStrictEqual([]);
    await pace.step();
    await pace.step();
    const done = await jobs.finished(idOf(job));
    expect(done.properties).toMatchObject({
      JobState: 7,
      PercentComplete: 100,
      ErrorCode: 0,
      OperationalStatus: [2],
    });
    expect(seen).toStrictEqual(['worked']);
  });

  it('a refusal ends in state 10 with its code, and 100 percent', async () => {
    const { jobs, pace } = manager();
    pace.release();
    const job = jobs.start(request(() => Promise.reject(new HyperVError(HV.invalidParameter, 'Not so.'))));
    const done = await jobs.finished(idOf(job));
    expect(done.properties).toMatchObject({
      JobState: 10,
      ErrorCode: 32773,
      ErrorDescription: 'Not so.',
      PercentComplete: 100,
    });
    expect(jobs.errors(idOf(job))).toMatchObject([
      { className: 'Msvm_Error', properties: { Message: 'Not so.' } },
    ]);
  });

  it('an unexpected error is the generic 32768', async () => {
    const { jobs, pace } = manager();
    pace.release();
    const job = jobs.start(request(() => Promise.reject(new Error('Surprise.'))));
    expect((await jobs.finished(idOf(job))).properties['ErrorCode']).toBe(32768);
  });

  it('are gone five minutes after their end', async () => {
    const { jobs, clock, pace } = manager();
    pace.release();
    const job = jobs.start(request(() => Promise.resolve()));
    await jobs.finished(idOf(job));
    clock.advance(5 * 60_000);
    expect(await stateOf(jobs, job)).toBe(7);
    clock.advance(1);
    expect(await stateOf(jobs, job)).toBeUndefined();
    expect(() => jobs.errors(idOf(job))).toThrow(/There is no job/);
  });

  it.each([
    ['terminated', 4, 8],
    ['killed', 5, 9],
  ])('are %s on request when cancellable', async (_how, requested, state) => {
    const { jobs, pace } = manager();
    pace.release();
    const job = jobs.start(
      request(
        ({ signal }) =>
          new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))),
        {
          cancellable: true,
        },
      ),
    );
    await pace.settled();
    expect(jobs.requestStateChange(idOf(job), requested)).toBe(4096);
    expect((await jobs.finished(idOf(job))).properties).toMatchObject({ JobState: state, ErrorCode: 0 });
    expect(jobs.requestStateChange(idOf(job), requested)).toBe(4097);
  });

  it('are not when they cannot be cancelled', () => {
    const { jobs } = manager();
    const job = jobs.start(request(() => Promise.resolve()));
    expect(jobs.requestStateChange(idOf(job), 5)).toBe(4097);
    expect(jobs.requestStateChange(idOf(job), 2)).toBe(5);
  });

  it('keep a machine busy until they end; leave with it', async () => {
    const { jobs, pace } = manager();
    const job = jobs.start(request(() => Promise.resolve(), { machineId: 'M' }));
    expect(jobs.isBusy('M')).toBe(true);
    pace.release();
    await jobs.finished(idOf(job));
    expect(jobs.isBusy('M')).toBe(false);
    jobs.forgetMachine('M');
    expect(await stateOf(jobs, job)).toBeUndefined();
  });

  it('name what they affect, by the association of their class', async () => {
    const { jobs, pace } = manager();
    pace.release();
    const [before, during] = [
      settingReference('Msvm_VirtualSystemSettingData', 'a'),
      settingReference('Msvm_VirtualSystemSettingData', 'b'),
    ];
    const job = jobs.start(
      request(({ affects }) => Promise.resolve(affects(during)), {
        affects: [before],
        className: 'Msvm_StorageJob',
      }),
    );
    await jobs.finished(idOf(job));
    const counts = await Promise.all(
      jobs.associations().map(async (source) => [source.className, [...(await source.links())].length]),
    );
    expect(counts).toStrictEqual([
      ['Msvm_AffectedJobElement', 0],
      ['Msvm_AffectedStorageJobElement', 2],
    ]);
  });

  it('closing aborts what runs', async () => {
    const { jobs, pace } = manager();
    pace.release();
    const job = jobs.start(
      request(
        ({ signal }) =>
          new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))),
      ),
    );
    await pace.settled();
    await jobs.close();
    expect(await stateOf(jobs, job)).toBe(10);
  });
});
