/** What went wrong, for programs. */
export type VhdErrorCode =
  /** The file is neither VHD nor VHDX. */
  | 'VHD_UNKNOWN_FORMAT'
  /** It says it is one, and contradicts itself, or is cut short. */
  | 'VHD_CORRUPT'
  /** A form of the format that cannot be served (says which). */
  | 'VHD_UNSUPPORTED'
  /** The parent of a differencing disk is not where its locators say. */
  | 'VHD_PARENT_MISSING'
  /** The parent is there and is not the one that the child was made from. */
  | 'VHD_PARENT_MISMATCH'
  /** A log must be replayed and the file was opened read-only. */
  | 'VHD_LOG_NEEDS_REPLAY'
  /** A write to a disk that was opened for reading. */
  | 'VHD_READ_ONLY'
  /** Outside the disk. */
  | 'VHD_OUT_OF_RANGE'
  /** The wanted size or option is not possible (says what is). */
  | 'VHD_INVALID_ARGUMENT'
  /** The name of a new file or export is taken. */
  | 'VHD_EXISTS'
  /** Another process has the disk open in a way that forbids what is wanted (says who). */
  | 'VHD_IN_USE'
  /** The caller's signal stopped it. */
  | 'VHD_ABORTED';

/** Match on `code`. `path` is the file it is about, `offset` where in it (bytes) when that is known. `reason` is what is wrong there, without the place. */
export class VhdError extends Error {
  readonly code: VhdErrorCode;
  readonly path: string | undefined;
  readonly offset: number | undefined;
  readonly reason: string | undefined;
  constructor(
    code: VhdErrorCode,
    message: string,
    fields: { path?: string; offset?: number; reason?: string; cause?: unknown } = {},
  ) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.name = 'VhdError';
    this.code = code;
    this.path = fields.path;
    this.offset = fields.offset;
    this.reason = fields.reason;
  }
}

/** Told of what is wrong with a file. Opening a disk ends with the first; a check notes it and goes on. */
export type Complain = (error: VhdError) => void;

export function throwIt(error: VhdError): never {
  throw error;
}
