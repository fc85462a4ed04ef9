import type { CimInstance, CimReference, CimValue, Found, InvokeResult } from '@nova-hyperv/wsman';
import { wqlString } from '@nova-hyperv/wsman';
import { adviceFor, describeReturn, hasCode, HyperVError, isRefusal } from './errors.js';
import { instances, numeric, text } from './read.js';
import type { ShapeMemory } from './shapes.js';

export interface WaitOptions {
  /** `Class.Method`, for messages; also what the tracker learns usual durations by. */
  readonly operation: string;
  /** Milliseconds; default 5 minutes. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

/** What the tracker needs of a connection. */
export interface JobWire {
  hostName(): string;
  readonly shapes: ShapeMemory;
  query(wql: string, options: { readonly timeoutMs: number }): Promise<readonly Found[]>;
  invoke(reference: CimReference, method: string): Promise<InvokeResult>;
}

/** CIM_ConcreteJob.JobState. 32768, "completed with warnings", is not on the pages and exists. */
const FINISHED = new Set([7, 8, 9, 10, 32_768]);
const SUCCEEDED = new Set([7, 32_768]);

/** A round trip that comes too early costs more than the few milliseconds that it might have saved. */
const FIRST_POLL_MS = 20;
const QUICKEST_POLL_MS = 10;
const SLOWEST_POLL_MS = 1000;
const DEFAULT_DEADLINE_MS = 300_000;
/** Jobs of one query: keeps its text far below WQL's limits. */
const BATCH = 25;
/** A poll that fails is repeated so often at least, and for so long: a service that restarts, a line that is cut, ends no work. */
const FAILED_POLLS_ALLOWED = 3;
const FAILING_ALLOWED_MS = 10_000;
/** Above what a loaded host takes to answer; below the patience of those who wait. */
const POLL_TIMEOUT_MS = 20_000;
/** A job is given up as vanished when so many polls in a row do not show it. */
const MISSES_ALLOWED = 2;

interface Pending {
  readonly job: CimReference;
  readonly id: string;
  readonly operation: string;
  readonly startedAt: number;
  readonly deadline: number;
  readonly settle: (error?: Error) => void;
  delay: number;
  due: number;
  polls: number;
  misses: number;
}

/**
 * Waits for jobs: all that are under way, whoever waits for them, are asked for with one query a poll. The first poll comes when
 * jobs of that kind were last seen to end, so that a job costs one round trip as a rule; further polls back off.
 */
export class JobTracker {
  readonly #wire: JobWire;
  readonly #defaultDeadlineMs: number;
  /** Not by id: several may wait for one job. */
  readonly #pending = new Set<Pending>();
  readonly #usual = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #polling = false;
  #failedPolls = 0;
  #failingSince = 0;
  #closed = false;

  constructor(wire: JobWire, defaultDeadlineMs = DEFAULT_DEADLINE_MS) {
    this.#wire = wire;
    this.#defaultDeadlineMs = defaultDeadlineMs;
  }

  /** Settles when the job has succeeded. Throws HYPERV_JOB_FAILED, _JOB_VANISHED, _DEADLINE, _ABORTED. */
  wait(job: CimReference, options: WaitOptions): Promise<void> {
    const { operation, signal } = options;
    const id = job.keys['InstanceID'] ?? '';
    if (this.#closed || signal?.aborted === true) return Promise.reject(this.#aborted(operation));
    return new Promise((resolve, reject) => {
      const now = Date.now();
      const onAbort = () => pending.settle(this.#aborted(operation));
      const delay = this.#usual.get(operation) ?? FIRST_POLL_MS;
      const pending: Pending = {
        job,
        id,
        operation,
        startedAt: now,
        deadline: now + (options.deadlineMs ?? this.#defaultDeadlineMs),
        delay,
        due: now + delay,
        polls: 0,
        misses: 0,
        settle: (error) => {
          this.#pending.delete(pending);
          signal?.removeEventListener('abort', onAbort);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#pending.add(pending);
      this.#schedule();
    });
  }

  /** Ends all waits with HYPERV_ABORTED. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const pending of this.#pending) pending.settle(this.#aborted(pending.operation));
  }

  #aborted(operation: string): HyperVError {
    return new HyperVError('HYPERV_ABORTED', `Waiting for ${operation} was given up.`, {
      host: this.#wire.hostName(),
      operation,
    });
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#polling || this.#closed || this.#pending.size === 0) return;
    const dues = [...this.#pending].map((pending) => pending.due).toSorted((a, b) => a - b);
    const first = dues[0] ?? 0;
    // A poll that waits a little for the next job's turn saves that job's own.
    const slack = Math.max(15, (first - Date.now()) / 2);
    const at = dues.findLast((due) => due <= first + slack) ?? first;
    this.#timer = setTimeout(() => void this.#poll(), Math.max(0, at - Date.now()));
  }

  async #poll(): Promise<void> {
    this.#polling = true;
    const batch = [...this.#pending].toSorted((a, b) => a.due - b.due).slice(0, BATCH);
    try {
      const rows = await this.#rows(batch);
      this.#failedPolls = 0;
      await Promise.all(batch.map((pending) => this.#judge(pending, rows.get(pending.id.toLowerCase()))));
    } catch (error) {
      this.#failed(batch, error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#polling = false;
      this.#schedule();
    }
  }

  /** While the host does not answer, nothing is known of any job: all go on or are given up together. */
  #failed(batch: readonly Pending[], error: Error): void {
    if (this.#failedPolls === 0) this.#failingSince = Date.now();
    this.#failedPolls += 1;
    // Wrong credentials are not tried again and again: that locks accounts.
    const giveUp =
      hasCode(error, 'WSMAN_UNAUTHORIZED', 'WSMAN_TLS') ||
      (this.#failedPolls >= FAILED_POLLS_ALLOWED && Date.now() - this.#failingSince >= FAILING_ALLOWED_MS);
    for (const pending of batch) {
      pending.polls += 1;
      if (giveUp || Date.now() >= pending.deadline) pending.settle(error);
      else this.#later(pending);
    }
    if (giveUp) this.#failedPolls = 0;
  }

  async #rows(batch: readonly Pending[]): Promise<ReadonlyMap<string, CimInstance>> {
    const classes = [...new Set(batch.map((pending) => pending.job.className))];
    const rows = new Map<string, CimInstance>();
    const ask = async (className: string, jobs: readonly Pending[]) => {
      const where = jobs.map((pending) => `InstanceID=${wqlString(pending.id)}`).join(' OR ');
      const found = await this.#wire.query(`SELECT * FROM ${className} WHERE ${where}`, {
        timeoutMs: POLL_TIMEOUT_MS,
      });
      for (const { instance } of found) {
        rows.set(text(instance, 'InstanceID').toLowerCase(), instance);
      }
    };
    const { shapes } = this.#wire;
    if (classes.length > 1 && shapes.allows('jobs-by-base-class')) {
      try {
        await ask('CIM_ConcreteJob', batch);
        if (batch.every((pending) => rows.has(pending.id.toLowerCase()))) return rows;
      } catch (error) {
        if (!(error instanceof Error) || !isRefusal(error)) throw error;
        shapes.refuse('jobs-by-base-class', error.message);
      }
    }
    await Promise.all(
      classes.map((className) =>
        ask(
          className,
          batch.filter((pending) => pending.job.className === className),
        ),
      ),
    );
    return rows;
  }

  async #judge(pending: Pending, row: CimInstance | undefined): Promise<void> {
    if (!this.#pending.has(pending)) return;
    pending.polls += 1;
    if (row === undefined) {
      pending.misses += 1;
      if (pending.misses <= MISSES_ALLOWED) this.#later(pending);
      else pending.settle(this.#vanished(pending));
      return;
    }
    pending.misses = 0;
    const state = numeric(row, 'JobState');
    if (!FINISHED.has(state)) {
      if (Date.now() >= pending.deadline) pending.settle(this.#late(pending, row));
      else this.#later(pending);
      return;
    }
    this.#learn(pending);
    const code = numeric(row, 'ErrorCode');
    if (SUCCEEDED.has(state) && code === 0) pending.settle();
    else pending.settle(await this.#failure(pending, row, state, code));
  }

  #later(pending: Pending): void {
    const waited = Date.now() - pending.startedAt;
    const slowest = waited > 5000 || this.#failedPolls > 0 ? SLOWEST_POLL_MS : 100;
    pending.delay = pending.polls <= 1 ? FIRST_POLL_MS : Math.min(pending.delay * 2, slowest);
    pending.due = Date.now() + pending.delay;
  }

  /** Ended by the first poll: it may be quicker than we think. Later: that is how long it took. */
  #learn(pending: Pending): void {
    const usual = this.#usual.get(pending.operation) ?? FIRST_POLL_MS;
    const took = Date.now() - pending.startedAt;
    const estimate = pending.polls === 1 ? usual * 0.98 : took * 1.25;
    this.#usual.set(pending.operation, Math.min(Math.max(estimate, QUICKEST_POLL_MS), SLOWEST_POLL_MS));
  }

  #vanished(pending: Pending): HyperVError {
    return new HyperVError(
      'HYPERV_JOB_VANISHED',
      `${pending.operation} on ${this.#wire.hostName()} started a job that is no longer there, so its outcome is not known. Look at the machine's state, then try again.`,
      { host: this.#wire.hostName(), operation: pending.operation },
    );
  }

  #late(pending: Pending, row: CimInstance): HyperVError {
    return new HyperVError(
      'HYPERV_DEADLINE',
      `${pending.operation} on ${this.#wire.hostName()} has not ended after ${Math.round((Date.now() - pending.startedAt) / 1000)} s (${numeric(row, 'PercentComplete')} % done). It may still end; the host may be overloaded.`,
      { host: this.#wire.hostName(), operation: pending.operation },
    );
  }

  async #failure(pending: Pending, row: CimInstance, state: number, code: number): Promise<HyperVError> {
    const told =
      text(row, 'ErrorDescription') ||
      text(row, 'ErrorSummaryDescription') ||
      (await this.#details(pending.job));
    const how = state === 8 || state === 9 ? 'was cancelled' : `failed with ${describeReturn(code)}`;
    return new HyperVError(
      'HYPERV_JOB_FAILED',
      `${pending.operation} on ${this.#wire.hostName()} ${how}${told === '' ? '' : `: ${told}`}${adviceFor(code)}`,
      { host: this.#wire.hostName(), operation: pending.operation, jobErrorCode: code },
    );
  }

  /** Some jobs tell their error only here. The method fails on some hosts, which must not hide the failure itself. */
  async #details(job: CimReference): Promise<string> {
    try {
      const { out } = await this.#wire.invoke(job, 'GetErrorEx');
      return errorMessages(out['Errors']).join(' ').trim();
    } catch {
      return '';
    }
  }
}

const ERROR_TEXT = /NAME="Message"[^>]*>\s*<VALUE>([^<]*)/;

/** What the method tells: Msvm_Error objects, as text (CIM-XML) where the schema does not say what the texts hold. */
function errorMessages(errors: CimValue | undefined): readonly string[] {
  const asTexts = Array.isArray(errors) ? errors.filter((error) => typeof error === 'string') : [];
  return [
    ...instances(errors).map((error) => text(error, 'Message')),
    ...asTexts.map((error) => ERROR_TEXT.exec(error)?.[1] ?? ''),
  ];
}
