import type { Command } from 'commander';
import { addHostOptions } from '../hosts/access.js';
import type { ShowFlags } from '../plan/show-machine.js';
import { perform } from './vhd/operation.js';

const HELP = `
--diff compares with the plan of the machine's instance (its flavor, image and ports in the cloud), or with a plan that
'nova-hyperv plan --json' printed. Identifiers that such a plan
cannot know (instance, ports, MAC addresses, switch) are no difference.

Exit codes: 0 shown, or no difference; 1 there are differences (or the command failed); 64 a mistake in the command line.`;

export function addVmCommand(program: Command): void {
  const vm = program.command('vm').description('look at machines on Hyper-V hosts');
  const show = vm
    .command('show')
    .description('show a machine as its host has it, in the form of a plan')
    .argument('<name or uuid>', "the machine's name on its host, the instance's UUID, or the machine's own");
  addHostOptions(show)
    .option('--diff', 'say where it differs from its plan')
    .option('--plan <file>', 'with --diff: the plan to compare with (plan.json)')
    .option('--cloud <name>', 'cloud of clouds.yaml; default OS_CLOUD')
    .option(
      '--config-file <path>',
      'with --diff: nova.conf of the host, repeatable',
      (value: string, all: readonly string[]) => [...all, value],
      [],
    )
    .option('--json', 'print one JSON document')
    .addHelpText('after', HELP)
    .action((name: string, flags: ShowFlags) =>
      perform('vm show', flags, async () => {
        // Loaded when it is needed: see commands/up.ts.
        const { showMachine } = await import('../plan/show-machine.js');
        return showMachine(name, flags);
      }),
    );
}
