import { WBEM, WmiError } from '@nova-hyperv/wsman';
import type { CimInstance, CimReference } from '@nova-hyperv/wsman';
import { V2, dateTime, intervalOfMs, settingReference, v2 } from './cim.js';
import type { Clock } from './clock.js';
import { HV, HyperVError } from './errors.js';
import type { AssociationSource } from './store/associations.js';
import type { InstanceSource } from './store/store.js';
import { messageOf } from './system-error.js';

/** `JobState`. Source: HyperV_v2, Msvm_ConcreteJob. */
export const JOB = {
  new: 2,
  starting: 3,
  running: 4,
  completed: 7,
  terminated: 8,
  killed: 9,
  exception: 10,
} as const;

export type JobClass = 'Msvm_ConcreteJob' | 'Msvm_StorageJob';

/** What a job's work may do while it runs. */
export interface JobControl {
  /** Aborted when somebody terminates or kills the job, and when the host stops. */
  readonly signal: AbortSignal;
  /** 0 to 99; a job that ended has 100. */
  readonly progress: (percent: number) => void;
  /** More elements that the job affects, known only now. */
  readonly affects: (...elements: readonly CimReference[]) => void;
}

export interface JobRequest {
  readonly className: JobClass;
  readonly caption: string;
  readonly jobType: number;
  /** The machine that it affects; its further state changes must wait. */
  readonly machineId?: string;
  readonly affects: readonly CimReference[];
  readonly cancellable?: boolean;
  readonly work: (control: JobControl) => Promise<void>;
}

/** Called before a job enters a state, so that tests can hold it there; settles when it may go on. */
export type JobPace = (instanceId: string, next: number) => Promise<void>;

interface Job {
  readonly id: string;
  readonly request: JobRequest;
  readonly abort: AbortController;
  readonly submitted: Date;
  affects: CimReference[];
  state: number;
  stateChanged: Date;
  started: Date | undefined;
  percent: number;
  errorCode: number;
  errorText: string;
  /** State that a client asked for: 8 terminate, 9 kill. */
  ending: number | undefined;
  done: Promise<void>;
}

/** Finished jobs stay readable for that long. */
const KEPT_MILLISECONDS = 5 * 60_000;
const CLOSE_DEADLINE = 30_000;

/** Runs the work of the services' methods as Windows does: started, watched by polling, kept a while. */
export class JobManager {
  readonly #clock: Clock;
  readonly #pace: JobPace;
  readonly #newGuid: () => string;
  readonly #jobs = new Map<string, Job>();

  constructor(options: { clock: Clock; pace: JobPace; newGuid: () => string }) {
    this.#clock = options.clock;
    this.#pace = options.pace;
    this.#newGuid = options.newGuid;
  }

  /** Starts the work and returns the job's address at once. */
  start(request: JobRequest): CimReference {
    this.#sweep();
    const now = this.#clock.now();
    const job: Job = {
      id: this.#newGuid(),
      request,
      abort: new AbortController(),
      submitted: now,
      affects: [...request.affects],
      state: JOB.new,
      stateChanged: now,
      started: undefined,
      percent: 0,
      errorCode: 0,
      errorText: '',
      ending: undefined,
      done: Promise.resolve(),
    };
    this.#jobs.set(job.id, job);
    job.done = this.#run(job);
    return settingReference(request.className, job.id);
  }

  /** True while a job affects the machine. */
  isBusy(machineId: string): boolean {
    return [...this.#jobs.values()].some((job) => job.request.machineId === machineId && !isFinished(job));
  }

  /** Forgets the finished jobs of a machine that is gone. */
  forgetMachine(machineId: string): void {
    for (const job of this.#jobs.values()) {
      if (job.request.machineId === machineId && isFinished(job)) this.#jobs.delete(job.id);
    }
  }

  /**
   * `RequestStateChange` of a job: 4 terminate, 5 kill. Returns 4096 when it is being ended, 4097 when it is
   * over or cannot be ended, 5 for other states. Source: RequestStateChange of Msvm_ConcreteJob.
   */
  requestStateChange(instanceId: string, requested: number): number {
    const job = this.#require(instanceId);
    if (requested !== 4 && requested !== 5) return 5;
    if (isFinished(job) || job.request.cancellable !== true) return 4097;
    job.ending = requested === 4 ? JOB.terminated : JOB.killed;
    job.abort.abort(new HyperVError(HV.failed, 'The job was ended on request.'));
    return 4096;
  }

  /** The errors of a failed job as `Msvm_Error`s; none for one that did not fail. */
  errors(instanceId: string): readonly CimInstance[] {
    const job = this.#require(instanceId);
    if (job.state !== JOB.exception) return [];
    return [
      v2('Msvm_Error', {
        ErrorType: 4,
        OwningEntity: 'Microsoft-Windows-Hyper-V-VMMS',
        MessageID: `${job.errorCode}`,
        Message: job.errorText,
        PerceivedSeverity: 4,
        ProbableCause: 0,
        ErrorSource: job.request.machineId ?? '',
        CIMStatusCode: 1,
      }),
    ];
  }

  /** Settles when the job is over, however it ended. For the host itself and for tests. */
  async finished(instanceId: string): Promise<CimInstance> {
    const job = this.#require(instanceId);
    await job.done;
    return this.#instanceOf(job);
  }

  sources(): readonly InstanceSource[] {
    return (['Msvm_ConcreteJob', 'Msvm_StorageJob'] as const).map((className) => ({
      namespace: V2,
      className,
      list: () => this.#list(className),
    }));
  }

  associations(): readonly AssociationSource[] {
    return [
      {
        namespace: V2,
        className: 'Msvm_AffectedJobElement',
        links: () => this.#links('Msvm_AffectedJobElement', 'Msvm_ConcreteJob'),
      },
      {
        namespace: V2,
        className: 'Msvm_AffectedStorageJobElement',
        links: () => this.#links('Msvm_AffectedStorageJobElement', 'Msvm_StorageJob'),
      },
    ];
  }

  /** Ends what can be ended and waits, bounded, for the rest. */
  async close(): Promise<void> {
    const running = [...this.#jobs.values()].filter((job) => !isFinished(job));
    for (const job of running) job.abort.abort(new HyperVError(HV.notAvailable, 'The host is stopping.'));
    const deadline = AbortSignal.timeout(CLOSE_DEADLINE);
    const expired = new Promise<void>((resolve) => deadline.addEventListener('abort', () => resolve()));
    await Promise.race([Promise.all(running.map((job) => job.done)), expired]);
  }

  async #run(job: Job): Promise<void> {
    try {
      await this.#enter(job, JOB.starting);
      job.started = this.#clock.now();
      await this.#enter(job, JOB.running);
      job.abort.signal.throwIfAborted();
      await job.request.work({
        signal: job.abort.signal,
        progress: (percent) => {
          job.percent = Math.max(job.percent, Math.min(99, Math.trunc(percent)));
        },
        affects: (...elements) => {
          job.affects.push(...elements);
        },
      });
      await this.#enter(job, JOB.completed);
    } catch (error) {
      if (job.ending === undefined) {
        job.errorCode = error instanceof HyperVError ? error.returnValue : HV.failed;
        job.errorText = messageOf(error);
      }
      this.#set(job, job.ending ?? JOB.exception);
    }
  }

  async #enter(job: Job, state: number): Promise<void> {
    await this.#pace(job.id, state);
    this.#set(job, state);
  }

  #set(job: Job, state: number): void {
    job.state = state;
    job.stateChanged = this.#clock.now();
    if (isFinished(job)) job.percent = 100;
  }

  #require(instanceId: string): Job {
    this.#sweep();
    const job = this.#jobs.get(instanceId.toUpperCase());
    if (job !== undefined) return job;
    throw new WmiError(
      WBEM.notFound,
      `There is no job ${instanceId}: it never was, or it ended more than 5 minutes ago.`,
    );
  }

  #sweep(): void {
    const oldest = this.#clock.now().getTime() - KEPT_MILLISECONDS;
    for (const job of this.#jobs.values()) {
      if (isFinished(job) && job.stateChanged.getTime() < oldest) this.#jobs.delete(job.id);
    }
  }

  #list(className: JobClass): CimInstance[] {
    this.#sweep();
    return [...this.#jobs.values()]
      .filter((job) => job.request.className === className)
      .map((job) => this.#instanceOf(job));
  }

  #links(association: string, className: JobClass): CimInstance[] {
    this.#sweep();
    return [...this.#jobs.values()]
      .filter((job) => job.request.className === className)
      .flatMap((job) =>
        job.affects.map((element) =>
          v2(association, {
            AffectedElement: element,
            AffectingElement: settingReference(className, job.id),
            ElementEffects: [0],
          }),
        ),
      );
  }

  #instanceOf(job: Job): CimInstance {
    const failed = job.state === JOB.exception;
    const end = isFinished(job) ? job.stateChanged : this.#clock.now();
    return v2(job.request.className, {
      InstanceID: job.id,
      Caption: job.request.caption,
      Description: job.request.caption,
      ElementName: job.request.caption,
      Name: job.request.caption,
      JobState: job.state,
      JobStatus: failed ? 'Error' : 'OK',
      JobType: job.request.jobType,
      PercentComplete: job.percent,
      Cancellable: (job.request.cancellable ?? false) && !isFinished(job),
      DeleteOnCompletion: false,
      ErrorCode: job.errorCode,
      ErrorDescription: job.errorText,
      ErrorSummaryDescription: job.errorText,
      TimeSubmitted: dateTime(job.submitted),
      StartTime: job.started === undefined ? null : dateTime(job.started),
      ElapsedTime: intervalOfMs(end.getTime() - (job.started ?? job.submitted).getTime()),
      TimeOfLastStateChange: dateTime(job.stateChanged),
      TimeBeforeRemoval: intervalOfMs(KEPT_MILLISECONDS),
      OperationalStatus: failed ? [6] : [2],
      StatusDescriptions: [failed ? 'Error' : 'OK'],
      Status: failed ? 'Error' : 'OK',
      HealthState: failed ? 25 : 5,
      LocalOrUtcTime: 2,
      Priority: 0,
      RecoveryAction: 2,
      ...(job.request.className === 'Msvm_StorageJob' ? { JobCompletionStatusCode: job.errorCode } : {}),
    });
  }
}

function isFinished(job: Job): boolean {
  return job.state >= JOB.completed && job.state <= JOB.exception;
}
