/** What went wrong, for programs. */
export type HyperVErrorCode =
  /** A method refused or failed by its return value. */
  | 'HYPERV_REFUSED'
  /** A job ended badly. */
  | 'HYPERV_JOB_FAILED'
  /** A job is gone and so its outcome is not known. */
  | 'HYPERV_JOB_VANISHED'
  /** The deadline of a wait passed. */
  | 'HYPERV_DEADLINE'
  /** The machine is in a state in which this cannot be done. */
  | 'HYPERV_INVALID_STATE'
  /** No machine, switch or object of that name. */
  | 'HYPERV_NOT_FOUND'
  /** More than one where there must be one. */
  | 'HYPERV_AMBIGUOUS'
  /** The host answered something that it cannot mean. */
  | 'HYPERV_UNEXPECTED'
  /** The caller's signal fired. */
  | 'HYPERV_ABORTED'
  /** A path of the host that cannot be reached from here, or is none. */
  | 'HYPERV_PATH';

export interface HyperVErrorFields {
  /** Computer name or address. */
  readonly host?: string | undefined;
  /** `Class.Method` or what was waited for. */
  readonly operation?: string | undefined;
  readonly returnValue?: number | undefined;
  /** Msvm_ConcreteJob.ErrorCode */
  readonly jobErrorCode?: number | undefined;
  readonly hresult?: number | undefined;
  readonly cause?: unknown;
}

/** Match on `code`. The message says what failed, why as far as the host told, and what to do. */
export class HyperVError extends Error {
  readonly code: HyperVErrorCode;
  readonly host: string | undefined;
  readonly operation: string | undefined;
  readonly returnValue: number | undefined;
  readonly jobErrorCode: number | undefined;
  readonly hresult: number | undefined;

  constructor(code: HyperVErrorCode, message: string, fields: HyperVErrorFields = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.name = 'HyperVError';
    this.code = code;
    this.host = fields.host;
    this.operation = fields.operation;
    this.returnValue = fields.returnValue;
    this.jobErrorCode = fields.jobErrorCode;
    this.hresult = fields.hresult;
  }
}

/** Whether an error carries one of these codes; works across copies of a package. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return (
    typeof error === 'object' &&
    error !== null &&
    'code' in error &&
    typeof error.code === 'string' &&
    codes.includes(error.code)
  );
}

/**
 * The host understood the request and said no (by return value, by its job, by a fault that is no trouble of the line): another
 * way of asking may be accepted.
 */
export function isRefusal(error: unknown): boolean {
  return (
    hasCode(error, 'HYPERV_REFUSED', 'HYPERV_JOB_FAILED', 'WSMAN_FAULT') &&
    !isBusy(error) &&
    !isOutcomeUnknown(error)
  );
}

/** Subcodes of faults that say that the service gave up waiting for the provider. Source: DSP0226, faults. */
const GIVEN_UP = new Set(['TimedOut']);

/** The host may have done, or may still be doing, what was asked: no answer, an answer too late, a job that is not seen any more. */
export function isOutcomeUnknown(error: unknown): boolean {
  if (hasCode(error, 'HYPERV_JOB_VANISHED', 'HYPERV_DEADLINE', 'HYPERV_ABORTED')) return true;
  if (typeof error !== 'object' || error === null) return false;
  if (hasCode(error, 'WSMAN_FAULT')) {
    return 'subcode' in error && typeof error.subcode === 'string' && GIVEN_UP.has(error.subcode);
  }
  const unanswered = ['WSMAN_UNREACHABLE', 'WSMAN_DEADLINE', 'WSMAN_BAD_RESPONSE', 'WSMAN_ABORTED'];
  const notSent = 'notSent' in error && error.notSent === true;
  return hasCode(error, ...unanswered) && !notSent;
}

/** Something else is at work on the object: the same request may succeed in a moment. */
export function isBusy(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const fields = error as Partial<HyperVError> & { retryable?: boolean };
  const code = fields.jobErrorCode ?? fields.returnValue;
  return (
    code === RETURN.inUse ||
    code === RETURN.invalidState ||
    (hasCode(error, 'WSMAN_FAULT') && fields.retryable === true)
  );
}

/** Return values that code decides on. Source: return value tables of the HyperV_v2 method pages. */
export const RETURN = {
  done: 0,
  jobStarted: 4096,
  invalidState: 32_775,
  inUse: 32_774,
  invalidParameter: 32_773,
  notReady: 32_780,
} as const;

/**
 * What a return value or a job's ErrorCode means and what to do. Two families that do not overlap: CIM's (0 to 6) and Hyper-V's
 * own (32768 and up). Source: HyperV_v2 method pages.
 */
export const RETURN_MEANINGS: ReadonlyMap<number, { readonly meaning: string; readonly advice?: string }> =
  new Map([
    [1, { meaning: 'not supported' }],
    [2, { meaning: 'failed' }],
    [3, { meaning: 'timed out on the host' }],
    [4, { meaning: 'invalid parameter' }],
    [5, { meaning: 'invalid state' }],
    [6, { meaning: 'incompatible parameters' }],
    [4097, { meaning: 'the transition is not possible' }],
    [32_768, { meaning: 'failed', advice: "see the host's event log Microsoft-Windows-Hyper-V-VMMS-Admin" }],
    [
      32_769,
      {
        meaning: 'access denied',
        advice: 'the account must be an administrator or in Hyper-V Administrators',
      },
    ],
    [32_770, { meaning: 'not supported' }],
    [32_771, { meaning: 'status is unknown' }],
    [32_772, { meaning: 'timed out on the host' }],
    [32_773, { meaning: 'invalid parameter' }],
    [
      32_774,
      {
        meaning: 'the object is in use',
        advice: 'something else works on it; try again when that has ended',
      },
    ],
    [32_775, { meaning: 'invalid state for this operation' }],
    [32_776, { meaning: 'incorrect data type' }],
    [32_777, { meaning: 'the system is not available' }],
    [32_778, { meaning: 'out of memory', advice: 'the host has too little free memory' }],
    [32_779, { meaning: 'file not found, or in use' }],
    [32_780, { meaning: 'the system is not ready' }],
    [32_781, { meaning: 'the machine is locked', advice: 'only a forced shut-down is possible' }],
    [32_782, { meaning: 'a shut-down is in progress' }],
  ]);

/** `32775 (invalid state for this operation)` */
export function describeReturn(value: number): string {
  const meaning = RETURN_MEANINGS.get(value)?.meaning;
  return meaning === undefined ? String(value) : `${value} (${meaning})`;
}

/** What to do about a return value, as the end of a sentence; '' when there is nothing to say. */
export function adviceFor(value: number): string {
  const advice = RETURN_MEANINGS.get(value)?.advice;
  return advice === undefined ? '' : `; ${advice}`;
}
