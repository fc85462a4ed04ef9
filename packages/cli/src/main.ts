import { Command, CommanderError } from 'commander';
import { addDownCommand } from './commands/down.js';
import { addEmulatorCommand } from './commands/emulator.js';
import { addUpCommand } from './commands/up.js';
import { addVhdCommand } from './commands/vhd.js';
import { CliError, EXIT, explain } from './errors.js';
import { VERSION } from './version.js';

function createProgram(): Command {
  const program = new Command('nova-hyperv')
    .description("OpenStack's compute service for Hyper-V")
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError('(nova-hyperv --help tells more)');
  addUpCommand(program);
  addDownCommand(program);
  addEmulatorCommand(program);
  addVhdCommand(program);
  return program;
}

/** Runs one command; settles with the exit code. Errors that a person can act on are printed without a stack. */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync([...argv]);
    return EXIT.ok;
  } catch (error) {
    // commander has printed its own message, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const explained = explain(error);
    console.error('nova-hyperv:', explained ?? error);
    if (error instanceof CliError) return error.exitCode;
    return explained === undefined ? EXIT.software : EXIT.failed;
  }
}
