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
