import { InvalidArgumentError, type Command } from 'commander';
import type { PlanFlags } from '../plan/show-plan.js';
import { perform } from './vhd/operation.js';

const HELP = `
Image and flavor are names or ids in a cloud (that of the state folder, or as OS_CLOUD says), or files that end in .json, as
'openstack image show -f json' and 'openstack flavor show -f json' print them. No host is touched.

Exit codes: 0 it would boot, 1 it would be refused (or the command failed), 64 a mistake in the command line.`;

export function addPlanCommand(program: Command): void {
  program
    .command('plan')
    .description('show the machine that a boot would make, or every reason why it would be refused')
    .option('--image <name or file>', 'image: name or id in the cloud, or image.json')
    .option('--flavor <name or file>', 'flavor: name or id in the cloud, or flavor.json')
    .option('--host <release or name>', 'Windows release, or a host of the state folder', '2022')
    .option('--property <name=value>', 'image property, repeatable', assignment, [])
    .option('--extra-spec <name=value>', 'extra spec of the flavor, repeatable', assignment, [])
    .option('--vcpus <n>', 'vCPUs', wholeNumber)
    .option('--ram <MB>', 'memory', wholeNumber)
    .option('--disk <GB>', "root disk; 0 is the image's own size", wholeNumber)
    .option('--ephemeral <GB>', 'ephemeral disk', wholeNumber)
    .option('--swap <MB>', 'swap disk', wholeNumber)
    .option('--disk-format <format>', 'disk_format of the image: vhd, vhdx or iso')
    .option('--image-file <file>', 'the file of the image, so that its content counts')
    .option('--ports <n>', 'network ports of the instance', wholeNumber, 1)
    .option('--name <name>', "the machine's name", 'instance-00000001')
    .option('--state <dir>', 'state folder whose cloud and hosts are meant', 'state')
    .option('--cloud <name>', 'cloud of clouds.yaml; default OS_CLOUD')
    .option('--config-file <path>', 'nova.conf of the host, repeatable', another, [])
    .option('--json', 'print one JSON document')
    .addHelpText('after', HELP)
    .action((flags: PlanFlags) =>
      perform('plan', flags, async () => {
        // Loaded when it is needed: see commands/up.ts.
        const { showPlan } = await import('../plan/show-plan.js');
        return showPlan(flags);
      }),
    );
}

function another(value: string, all: readonly string[]): readonly string[] {
  return [...all, value];
}

function assignment(
  text: string,
  all: readonly (readonly [string, string])[],
): readonly (readonly [string, string])[] {
  const at = text.indexOf('=');
  if (at <= 0) throw new InvalidArgumentError('expected NAME=VALUE');
  return [...all, [text.slice(0, at), text.slice(at + 1)]];
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('expected a whole number from 0');
  return Number(text);
}
