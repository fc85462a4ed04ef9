import { resolve } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { DEFAULT_CONFIG, explainPlan, type Explanation, type Refusal, type Vif } from '@nova-hyperv/driver';
import { accessCloud, type CloudAccess } from '../cloud-access/log-in.js';
import { EXIT } from '../errors.js';
import { describeSpec } from '../plan/describe-spec.js';
import { chooseHost } from '../plan/host-choice.js';
import { bootRequest, type RequestFlags } from '../plan/request.js';
import { stateFolder } from '../up/state-folder.js';
import { printable } from './vhd/describe.js';
import { perform, type Outcome } from './vhd/operation.js';

interface PlanFlags extends RequestFlags {
  readonly host: string;
  readonly ports: number;
  readonly name: string;
  readonly state: string;
  readonly cloud?: string;
  readonly json?: boolean;
}

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
    .option('--json', 'print one JSON document')
    .addHelpText('after', HELP)
    .action((flags: PlanFlags) => perform('plan', flags, () => showPlan(flags)));
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

const INSTANCE_UUID = '00000000-0000-4000-8000-000000000001';

/** Ports that are yet to be made, bound as a Hyper-V host's are. */
function portsToBe(count: number): readonly Vif[] {
  return Array.from({ length: count }, (_, index) => ({
    portId: `00000000-0000-4000-8000-${(index + 1).toString(16).padStart(12, '0')}`,
    mac: `fa:16:3e:00:00:${((index + 1) & 0xff).toString(16).padStart(2, '0')}`,
    networkId: '',
    networkLabel: '',
    vifType: 'hyperv',
    mtu: 1500,
    active: false,
    fixedIps: [],
  }));
}

async function showPlan(flags: PlanFlags): Promise<Outcome> {
  const state = stateFolder(resolve(flags.state));
  const host = await chooseHost(flags.host, state);
  const opened: CloudAccess[] = [];
  try {
    const cloud = async (): Promise<CloudAccess> => {
      const access = opened[0] ?? (await accessCloud(state, flags.cloud));
      opened[0] = access;
      return access;
    };
    const { image, flavor, base, refusals: ofFile } = await bootRequest(flags, cloud);
    const explanation = explainPlan({
      instance: {
        uuid: INSTANCE_UUID,
        name: flags.name,
        hostname: flags.name,
        displayName: flags.name,
        projectId: '',
        userId: '',
        imageRef: image.id,
        flavor,
        metadata: {},
      },
      image,
      vifs: portsToBe(flags.ports),
      host: host.facts,
      config: DEFAULT_CONFIG,
      ...(base === undefined ? {} : { base }),
    });
    const told = withFile(explanation, ofFile, flags.imageFile);
    const assumed = [
      host.assumed,
      ...(flags.ports > 0 ? ['identifiers and MAC addresses of ports yet to be made'] : []),
    ];
    return {
      json: { wouldBoot: told.spec !== null, ...told, assumed, host: host.facts, image, flavor },
      text: describePlan(told, assumed),
      exitCode: told.spec === null ? EXIT.failed : EXIT.ok,
    };
  } finally {
    await Promise.all(opened.map((access) => access.close()));
  }
}

/** What the file itself is refused for, where the plan did not say the same. */
function withFile(
  { spec, refusals, unchecked }: Explanation,
  ofFile: readonly Refusal[],
  file: string | undefined,
): Explanation {
  const said = new Set(refusals.map(({ message }) => message));
  const sameRule = new Set(refusals.map(({ rule }) => rule));
  const added = ofFile.filter(({ message, rule }) => !said.has(message) && !sameRule.has(rule));
  const all = [...refusals, ...added];
  return {
    spec: all.length > 0 ? null : spec,
    refusals: all,
    unchecked:
      file !== undefined && added.length > 0 ? ['what depends on a usable file of the image'] : unchecked,
  };
}

function describePlan({ spec, refusals, unchecked }: Explanation, assumed: readonly string[]): string {
  const head =
    spec === null
      ? [
          `It would be refused, for ${refusals.length === 1 ? 'one reason' : `${refusals.length} reasons`}:`,
          ...refusals.map(describeRefusal),
        ]
      : ['It would boot as', '', describeSpec(spec)];
  return [
    ...head,
    '',
    ...unchecked.map(
      (what) => `Not looked at: ${what}${what.includes("image's file") ? ' (--image-file FILE)' : ''}.`,
    ),
    ...assumed.map((what) => `Taken for granted: ${what}.`),
  ].join('\n');
}

function describeRefusal({ exception, message, rule, source, scope }: Refusal, index: number): string {
  return [
    '',
    `${index + 1}. ${printable(message)}`,
    `   rule: ${rule} (${source})`,
    `   ${exception}${scope === 'host' ? '; another host may take it' : ''}`,
  ].join('\n');
}
