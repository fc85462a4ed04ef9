import { isCimReference } from '@nova-hyperv/wsman';
import type {
  CallOptions,
  CimReference,
  CimValue,
  Found,
  InvokeResult,
  WsmanClient,
} from '@nova-hyperv/wsman';
import { adviceFor, describeReturn, HyperVError, isBusy, RETURN } from './errors.js';
import { JobTracker } from './jobs.js';
import { VIRTUALIZATION } from './names.js';
import type { ShapeMemory } from './shapes.js';
import { namespaceOf } from './wmi-classes.js';
import type { Row, WmiClasses, WmiClassName } from './wmi-classes.js';

/** How long a call and its job may take. */
export interface InvokeOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds for the job; the host's `jobDeadlineMs` when it is not given. */
  readonly deadlineMs?: number;
  /** How often to ask again while something else is at work on the object. */
  readonly busyRetries?: number;
}

/** One connection with what all its users share: the job tracker and the memory of refused shapes. */
export class HostWire {
  readonly client: WsmanClient;
  /** For messages: the address, until the host has told its name. */
  host: string;
  readonly shapes: ShapeMemory;
  readonly jobs: JobTracker;

  constructor(client: WsmanClient, host: string, shapes: ShapeMemory, jobDeadlineMs?: number) {
    this.client = client;
    this.host = host;
    this.shapes = shapes;
    this.jobs = new JobTracker(
      {
        hostName: () => this.host,
        shapes,
        query: (wql, options) => client.query(VIRTUALIZATION, wql, options),
        invoke: (reference, method) => client.invoke(reference, method, {}),
      },
      jobDeadlineMs,
    );
  }

  query(wql: string, options?: CallOptions): Promise<readonly Found[]> {
    return this.client.query(VIRTUALIZATION, wql, options);
  }

  /** A typed query: `SELECT <properties> FROM <class> WHERE <where>`. */
  async select<C extends WmiClassName, P extends string & keyof WmiClasses[C]>(
    className: C,
    properties: readonly P[],
    where?: string,
  ): Promise<readonly Row<C, P>[]> {
    const condition = where === undefined ? '' : ` WHERE ${where}`;
    const wql = `SELECT ${properties.join(', ')} FROM ${className}${condition}`;
    const found = await this.client.query(namespaceOf(className), wql);
    return found.map(({ instance, reference }) => {
      const row = instance.properties;
      if (isRow<C, P>(row)) return { reference, properties: row };
      throw new HyperVError(
        'HYPERV_UNEXPECTED',
        `${this.host} answered a query of ${className} with something else.`,
        {
          host: this.host,
        },
      );
    });
  }

  /**
   * Calls a method and waits for the job that it may start. Out parameters are given as the call answered them. Throws
   * {@link HyperVError} for everything but success.
   */
  async call(
    reference: CimReference,
    method: string,
    parameters: Readonly<Record<string, CimValue>>,
    options: InvokeOptions = {},
  ): Promise<InvokeResult> {
    const retries = options.busyRetries ?? 0;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#callOnce(reference, method, parameters, options);
      } catch (error) {
        if (attempt >= retries || !isBusy(error) || options.signal?.aborted === true) throw error;
        await sleep(Math.min(100 * 2 ** attempt, 1000), options.signal);
      }
    }
  }

  async #callOnce(
    reference: CimReference,
    method: string,
    parameters: Readonly<Record<string, CimValue>>,
    options: InvokeOptions,
  ): Promise<InvokeResult> {
    const operation = `${reference.className}.${method}`;
    const { signal } = options;
    const result = await this.client.invoke(
      reference,
      method,
      parameters,
      signal === undefined ? {} : { signal },
    );
    const job = result.out['Job'];
    // 4 means "invalid parameter" for some methods and "job started" for os-win: only a job is a job.
    if (result.returnValue === RETURN.jobStarted || (result.returnValue === 4 && isCimReference(job))) {
      if (!isCimReference(job)) {
        throw new HyperVError(
          'HYPERV_UNEXPECTED',
          `${operation} on ${this.host} says that it started a job and names none.`,
          {
            host: this.host,
            operation,
          },
        );
      }
      await this.jobs.wait(job, {
        operation,
        ...(signal === undefined ? {} : { signal }),
        ...(options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs }),
      });
      return result;
    }
    if (result.returnValue !== RETURN.done) throw this.refused(operation, result.returnValue);
    return result;
  }

  refused(operation: string, returnValue: number): HyperVError {
    return new HyperVError(
      returnValue === RETURN.invalidState ? 'HYPERV_INVALID_STATE' : 'HYPERV_REFUSED',
      `${operation} on ${this.host} answered ${describeReturn(returnValue)}${adviceFor(returnValue)}.`,
      { host: this.host, operation, returnValue },
    );
  }
}

/** The client types values by the same schema data that the interfaces are generated from, so there is nothing to check but the shape. */
function isRow<C extends WmiClassName, P extends keyof WmiClasses[C]>(
  row: object,
): row is Pick<WmiClasses[C], P> {
  return !Array.isArray(row);
}

/** Settles after a while; rejects with HYPERV_ABORTED when the signal fires. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = () => {
      clearTimeout(timer);
      reject(new HyperVError('HYPERV_ABORTED', 'The operation was given up.'));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', aborted);
      resolve();
    }, milliseconds);
    if (signal?.aborted === true) aborted();
    else signal?.addEventListener('abort', aborted, { once: true });
  });
}
