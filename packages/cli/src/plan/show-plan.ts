import { resolve } from 'node:path';
import { driverOptions, NovaConf } from '@nova-hyperv/compute';
import { driverConfig, explainPlan, type Explanation, type Refusal } from '@nova-hyperv/driver';
import { accessCloud, type CloudAccess } from '../cloud-access/log-in.js';
import { printable } from '../commands/vhd/describe.js';
import type { Outcome } from '../commands/vhd/operation.js';
import { EXIT } from '../errors.js';
import { stateFolder } from '../up/state-folder.js';
import { describeSpec } from './describe-spec.js';
import { chooseHost } from './host-choice.js';
import { devicesToBe, PLANNED_INSTANCE, portsToBe } from './placeholders.js';
import { bootRequest, type RequestFlags } from './request.js';

/** Options of `nova-hyperv plan`. */
export interface PlanFlags extends RequestFlags {
  readonly host: string;
  readonly ports: number;
  readonly name: string;
  readonly state: string;
  readonly cloud?: string;
  readonly configFile: readonly string[];
  readonly json?: boolean;
}

export async function showPlan(flags: PlanFlags): Promise<Outcome> {
  const state = stateFolder(resolve(flags.state));
  const host = await chooseHost(flags.host, state);
  const config = driverConfig(driverOptions(NovaConf.read(flags.configFile.map((file) => resolve(file)))));
  const opened: CloudAccess[] = [];
  try {
    const cloud = async (): Promise<CloudAccess> => {
      const access = opened[0] ?? (await accessCloud(state, flags.cloud));
      opened[0] = access;
      return access;
    };
    const { image, flavor, base, refusals: ofFile } = await bootRequest(flags, config, cloud);
    const devices = devicesToBe(flavor.extraSpecs['pci_passthrough:alias']);
    const explanation = explainPlan({
      instance: {
        uuid: PLANNED_INSTANCE,
        name: flags.name,
        hostname: flags.name,
        displayName: flags.name,
        projectId: '',
        userId: '',
        imageRef: image.id,
        flavor,
        metadata: {},
        pciDevices: devices,
      },
      image,
      vifs: portsToBe(flags.ports),
      host: { ...host.facts, pciDevices: devices },
      config,
      ...(base === undefined ? {} : { base }),
    });
    const told = withFile(explanation, ofFile, flags.imageFile);
    const assumed = [
      host.assumed,
      ...(flags.ports > 0 ? ['identifiers and MAC addresses of ports that are yet to be made'] : []),
      ...(devices.length > 0 ? ['that a device is free for every PCI alias'] : []),
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
