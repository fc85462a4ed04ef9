/**
 * Return values and job error codes of the Hyper-V services. Source: HyperV_v2, the "Return code" sections of
 * the methods of Msvm_VirtualSystemManagementService and Msvm_ImageManagementService.
 */
export const HV = {
  completed: 0,
  jobStarted: 4096,
  failed: 32768,
  accessDenied: 32769,
  notSupported: 32770,
  statusUnknown: 32771,
  timeout: 32772,
  invalidParameter: 32773,
  inUse: 32774,
  invalidState: 32775,
  incorrectType: 32776,
  notAvailable: 32777,
  outOfMemory: 32778,
  fileNotFound: 32779,
} as const;

/**
 * A refusal of the emulated host. `returnValue` is what the caller gets, either as the method's ReturnValue or
 * as the ErrorCode of the job.
 */
export class HyperVError extends Error {
  readonly code = 'HYPERV_REFUSED';
  readonly returnValue: number;
  /** True when Windows checks this before it starts a job: never told by a job. */
  readonly direct: boolean;
  constructor(returnValue: number, message: string, options: ErrorOptions & { direct?: boolean } = {}) {
    super(message, options);
    this.name = 'HyperVError';
    this.returnValue = returnValue;
    this.direct = options.direct ?? false;
  }
}

/** The host cannot start or go on: a state folder that is damaged or used by another process, a bad option. */
export class EmulatorError extends Error {
  readonly code: 'EMULATOR_OPTION' | 'EMULATOR_STATE' | 'EMULATOR_CLOSED';
  constructor(code: EmulatorError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EmulatorError';
    this.code = code;
  }
}
