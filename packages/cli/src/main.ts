import { Command, CommanderError } from 'commander';
import { addDownCommand } from './commands/down.js';
import { addEmulatorCommand } from './commands/emulator.js';
import { addHostCommand } from './commands/host.js';
import { addPlanCommand } from './commands/plan.js';
import { addShieldingDataCommand } from './commands/shielding-data.js';
import { addUpCommand } from './commands/up.js';
import { addVhdCommand } from './commands/vhd/vhd.js';
import { addVmCommand } from './commands/vm-show.js';
import { errorDocument, EXIT, exitCodeOf, explain, QuietExit, CliError } from './errors.js';
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
  addHostCommand(program);
  addShieldingDataCommand(program);
  addPlanCommand(program);
  addVmCommand(program);
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
    if (error instanceof CommanderError) return usage(error, argv);
    if (!(error instanceof QuietExit)) console.error('nova-hyperv:', explain(error) ?? error);
    return exitCodeOf(error);
  }
}

/** Commands for programs answer in JSON even when they were not understood. */
function usage(error: CommanderError, argv: readonly string[]): number {
  if (error.exitCode === 0) return EXIT.ok;
  if (['vhd', 'plan', 'vm'].includes(argv[2] ?? '') && argv.includes('--json')) {
    const message = error.message.replace(/^error: /, '');
    console.log(JSON.stringify(errorDocument(new CliError(message, EXIT.usage)), undefined, 2));
  }
  return EXIT.usage;
}
