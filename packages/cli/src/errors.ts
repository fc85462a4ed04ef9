import { errorCode, errorMessage, isRecord } from './json.js';

/**
 * Exit codes, as sysexits(3) numbers them where it has one. `checkErrors` and `checkLeaks` are those of
 * `qemu-img check`; a process that a signal stopped ends with 128 and the signal's number, as shells have it.
 */
export const EXIT = {
  ok: 0,
  failed: 1,
  checkErrors: 2,
  checkLeaks: 3,
  usage: 64,
  unavailable: 69,
  software: 70,
  exists: 73,
  inUse: 75,
  interrupted: 130,
  terminated: 143,
} as const;

/** An error that the person at the terminal can do something about: printed without a stack. */
export class CliError extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode: number = EXIT.failed, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CliError';
    this.exitCode = exitCode;
  }
}

/** Ends the command with a code of its own; everything has been said. */
export class QuietExit extends Error {
  readonly exitCode: number;
  constructor(exitCode: number) {
    super(`exit code ${exitCode}`);
    this.name = 'QuietExit';
    this.exitCode = exitCode;
  }
}

/** Codes of this product's own errors: their messages say what to do, so that a stack would only hide it. */
const OWN_CODE = /^(EMULATOR|DATABASE|VHD|HYPERV|WSMAN|REST)_/;

/** Commands that help with them. */
const OWN_ADVICE: Readonly<Record<string, string>> = {
  VHD_LOG_NEEDS_REPLAY: 'nova-hyperv vhd check --repair does so',
};

/** Exit codes of errors that a script treats apart from a plain failure. */
const EXIT_OF_CODE: Readonly<Record<string, number>> = { VHD_EXISTS: EXIT.exists, VHD_IN_USE: EXIT.inUse };

/** Names of errors that nova.conf is the reason of. */
const CONFIGURATION = new Set(['InvalidConfiguration', 'PciConfigInvalidSpec', 'PciInvalidAlias']);

/** What the operating system says, in words that name what to do. */
const SYSTEM_ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is taken; choose another one with --port',
  EACCES: 'permission denied; check the owner of the file, or choose a port above 1023',
  EADDRNOTAVAIL: 'this machine has no such address; see --listen',
  ENOENT: 'there is no such file',
  ENOTDIR: 'a part of the path is no folder',
  EISDIR: 'that is a folder',
  EROFS: 'the file system is read-only',
  EFBIG: 'the file system takes no file of that size',
  ENOSPC: 'the disk is full',
};

/** One sentence for an error that a person can act on; undefined for one that is a fault of this program. */
export function explain(error: unknown): string | undefined {
  if (error instanceof CliError) return error.message;
  const code = errorCode(error);
  if (code === undefined) return undefined;
  const advice = SYSTEM_ADVICE[code] ?? OWN_ADVICE[code];
  if (advice !== undefined) return `${errorMessage(error)} (${advice})`;
  const isOurs = OWN_CODE.test(code) || CONFIGURATION.has(error instanceof Error ? error.name : '');
  return isOurs ? errorMessage(error) : undefined;
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof CliError || error instanceof QuietExit) return error.exitCode;
  const code = errorCode(error);
  if (code !== undefined && EXIT_OF_CODE[code] !== undefined) return EXIT_OF_CODE[code];
  return explain(error) === undefined ? EXIT.software : EXIT.failed;
}

/** An error as `--json` prints it. */
export interface ErrorDocument {
  readonly error: {
    /** The library's (`VHD_…`), the system's (`ENOENT`), or `USAGE`, `INTERRUPTED`, `FAILED`, `SOFTWARE`. */
    readonly code: string;
    readonly message: string;
    readonly exitCode: number;
    readonly path?: string;
    /** Bytes, in the file. */
    readonly offset?: number;
  };
}

export function errorDocument(error: unknown): ErrorDocument {
  const exitCode = exitCodeOf(error);
  const fields = isRecord(error) ? error : {};
  return {
    error: {
      code: errorCode(error) ?? wordOf(exitCode),
      message: explain(error) ?? errorMessage(error),
      exitCode,
      ...(typeof fields['path'] === 'string' ? { path: fields['path'] } : {}),
      ...(typeof fields['offset'] === 'number' ? { offset: fields['offset'] } : {}),
    },
  };
}

function wordOf(exitCode: number): string {
  if (exitCode === EXIT.usage) return 'USAGE';
  if (exitCode === EXIT.interrupted || exitCode === EXIT.terminated) return 'INTERRUPTED';
  return exitCode === EXIT.software ? 'SOFTWARE' : 'FAILED';
}
