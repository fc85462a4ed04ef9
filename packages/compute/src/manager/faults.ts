import { DriverError } from '@nova-hyperv/driver';
import { BuildInterruptedError, ComputeError } from '../errors.js';
import { InstanceNotFoundError, UnexpectedTaskStateError, type InstanceFault } from '../ports.js';
import { ImageDownloadError } from '../rest/glance-download.js';
import { RestError } from '../rest/rest-error.js';
import type { ComputeContext } from './context.js';

export interface Failure {
  /** What the user reads: no addresses, no paths of ours, no stack. */
  readonly message: string;
  /** For administrators: everything, with the causes. */
  readonly details: string;
  readonly scope: 'request' | 'host';
}

const MAX_MESSAGE = 2_000;
const MAX_DETAILS = 16_000;
/** Answers that say "not now" rather than "not this". */
const PASSING_STATUSES: ReadonlySet<number> = new Set([401, 403, 408, 409, 429]);

function detailsOf(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error; at !== undefined && at !== null && parts.length < 8;) {
    parts.push(at instanceof Error ? (at.stack ?? `${at.name}: ${at.message}`) : JSON.stringify(at));
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join('\nCaused by: ').slice(0, MAX_DETAILS);
}

function messageOf(error: unknown, host: string): string {
  if (error instanceof DriverError || error instanceof ComputeError) return error.message;
  if (error instanceof BuildInterruptedError) return `${error.message} Delete it and create it again.`;
  if (error instanceof ImageDownloadError && error.code === 'IMAGE_CORRUPT') return error.message;
  if (error instanceof RestError) {
    if (error.kind === 'http' && error.serviceMessage !== '') {
      return `The ${error.service} service refused: ${error.serviceMessage}`;
    }
    return `The ${error.service} service did not do its part. Try again later; if it persists, ask an administrator.`;
  }
  // Nova, too, shows only the class of what is not its own: the text may tell too much.
  const name = error instanceof Error ? error.name : 'Error';
  return `Unexpected error ${name}. An administrator finds the reason in the fault's details and in the log of nova-compute on ${host}.`;
}

function scopeOf(error: unknown): Failure['scope'] {
  if (error instanceof DriverError || error instanceof ComputeError) return error.scope;
  if (error instanceof RestError && error.status !== null) {
    const final = error.status >= 400 && error.status < 500 && !PASSING_STATUSES.has(error.status);
    return final ? 'request' : 'host';
  }
  return 'host';
}

/** What a failure means for the user, the administrator and the scheduler. */
export function describeFailure(error: unknown, host: string): Failure {
  const details = detailsOf(error);
  return { message: messageOf(error, host).slice(0, MAX_MESSAGE), details, scope: scopeOf(error) };
}

/** A fault as Nova records it for what goes wrong in an operation: code 500 whatever the exception's own code. */
export function faultOf(error: unknown, host: string): InstanceFault {
  const { message, details } = describeFailure(error, host);
  return { code: 500, message, details };
}

/** The operation was overtaken: the instance is gone, or the API has given it another task. */
export function isOvertaken(error: unknown): boolean {
  return error instanceof UnexpectedTaskStateError || error instanceof InstanceNotFoundError;
}

/** Records a fault; a store that fails here must not hide the failure itself. */
export async function recordFault(ctx: ComputeContext, uuid: string, error: unknown): Promise<void> {
  try {
    await ctx.instances.addFault(uuid, faultOf(error, ctx.host));
  } catch (storeError) {
    ctx.log.error({ err: storeError, instance: uuid }, 'the fault of an instance could not be recorded');
  }
}
