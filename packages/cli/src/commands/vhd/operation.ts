import type { Command } from 'commander';
import { errorDocument, QuietExit } from '../../errors.js';
import { Interrupt } from '../../terminal/interrupt.js';
import { ProgressBar, type Progress } from '../../terminal/progress-bar.js';

export interface OutputFlags {
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function addOutputOptions(command: Command): Command {
  return command
    .option('--json', 'print one JSON document on standard output, also for an error')
    .option('-q, --quiet', 'print nothing but errors, and no progress');
}

/** What a command works with. */
export interface Operation {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

/** What a command has to tell. */
export interface Outcome {
  readonly json: object;
  readonly text: string;
  readonly exitCode?: number;
}

export function printJson(document: object): void {
  console.log(JSON.stringify(document, undefined, 2));
}

/**
 * Runs one command: progress on a terminal's standard error, what came of it on standard output, and an orderly end
 * when a signal comes.
 * @param name stands before the progress bar.
 */
export async function perform(
  name: string,
  flags: OutputFlags,
  run: (operation: Operation) => Promise<Outcome>,
): Promise<void> {
  const interrupt = new Interrupt();
  const bar = new ProgressBar(process.stderr, name);
  const onProgress = flags.quiet === true ? (): void => undefined : bar.update.bind(bar);
  let outcome: Outcome;
  try {
    outcome = await run({ signal: interrupt.signal, onProgress });
  } catch (error) {
    bar.end();
    const told = interrupt.explain(error);
    if (flags.json === true) printJson(errorDocument(told));
    throw told;
  } finally {
    bar.end();
    interrupt.dispose();
  }
  if (flags.json === true) printJson(outcome.json);
  else if (flags.quiet !== true && outcome.text !== '') console.log(outcome.text);
  if (outcome.exitCode !== undefined && outcome.exitCode !== 0) throw new QuietExit(outcome.exitCode);
}
