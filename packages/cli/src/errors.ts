import { errorCode, errorMessage } from './json.js';

/** Exit codes, as sysexits(3) numbers them where it has one. */
export const EXIT = { ok: 0, failed: 1, usage: 64, unavailable: 69, software: 70 } as const;

/** An error that the person at the terminal can do something about: printed without a stack. */
export class CliError extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode: number = EXIT.failed, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CliError';
    this.exitCode = exitCode;
  }
}

/** Codes of this product's own errors: their messages say what to do, so that a stack would only hide it. */
const OWN_CODE = /^(EMULATOR|DATABASE|VHD|HYPERV|WSMAN)_/;

/** What the operating system says, in words that name what to do. */
const SYSTEM_ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is taken; choose another one with --port',
  EACCES: 'permission denied; check the owner of the file, or choose a port above 1023',
  EADDRNOTAVAIL: 'this machine has no such address; see --listen',
  ENOENT: 'there is no such file',
  EISDIR: 'that is a folder',
  ENOSPC: 'the disk is full',
};

/** One sentence for an error that a person can act on; undefined for one that is a fault of this program. */
export function explain(error: unknown): string | undefined {
  if (error instanceof CliError) return error.message;
  const code = errorCode(error);
  if (code === undefined) return undefined;
  if (OWN_CODE.test(code)) return errorMessage(error);
  const advice = SYSTEM_ADVICE[code];
  return advice === undefined ? undefined : `${errorMessage(error)} (${advice})`;
}
