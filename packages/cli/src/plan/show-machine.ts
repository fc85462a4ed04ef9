import { resolve } from 'node:path';
import type { HyperVHost, MachineHandle } from '@nova-hyperv/hyperv';
import { driverOptions, NovaConf } from '@nova-hyperv/compute';
import {
  driverConfig,
  explainPlan,
  observe,
  planFactsOf,
  specOf,
  type DriverConfig,
  type NicSpec,
  type ObservedMachine,
  type PlanHostFacts,
  type Vif,
  type VmSpec,
} from '@nova-hyperv/driver';
import { accessCloud, type CloudAccess } from '../cloud-access/log-in.js';
import { CliError, EXIT } from '../errors.js';
import { accesses, connect, type HostFlags } from '../hosts/access.js';
import { isRecord } from '../json.js';
import { describeSpec } from './describe-spec.js';
import { describeDifferences, diffSpecs } from './diff-specs.js';
import { withIdentifiersOf } from './placeholders.js';
import { readJson } from './request.js';
import { stateFolder } from '../up/state-folder.js';
import type { Outcome } from '../commands/vhd/operation.js';

/** Options of `nova-hyperv vm show`. */
export interface ShowFlags extends HostFlags {
  readonly diff?: boolean;
  readonly plan?: string;
  readonly cloud?: string;
  readonly configFile: readonly string[];
  readonly json?: boolean;
}

interface Found {
  readonly host: PlanHostFacts;
  readonly machine: MachineHandle;
  readonly observed: ObservedMachine;
}

export async function showMachine(name: string, flags: ShowFlags): Promise<Outcome> {
  if (flags.plan !== undefined && flags.diff !== true)
    throw new CliError('--plan goes with --diff', EXIT.usage);
  const { host, machine, observed } = await findOnHosts(name, flags);
  if (flags.diff !== true) {
    const spec = specOf(observed);
    return {
      json: { host: host.name, id: machine.id, spec },
      text: `On host ${host.name}, machine ${machine.id}\n\n${describeSpec(spec)}`,
    };
  }
  const planned =
    flags.plan === undefined
      ? await planOfInstance(host, observed, flags)
      : specOfDocument(await readJson(flags.plan), flags.plan);
  const spec = specOf(observed, { nics: portIds(planned) });
  const differences = diffSpecs(withIdentifiersOf(planned, spec), spec);
  return {
    json: {
      host: host.name,
      id: machine.id,
      same: differences.length === 0,
      differences,
      planned,
      observed: spec,
    },
    text:
      differences.length === 0
        ? `${spec.name} on ${host.name} is as planned`
        : describeDifferences(differences),
    exitCode: differences.length === 0 ? EXIT.ok : EXIT.failed,
  };
}

async function findOnHosts(name: string, flags: HostFlags): Promise<Found> {
  const asked: string[] = [];
  for (const access of await accesses(flags)) {
    const host = await connect(access);
    try {
      asked.push(host.name);
      const machine = await findOn(host, name);
      if (machine === undefined) continue;
      return { host: planFactsOf(await host.facts()), machine, observed: await observe(host, machine) };
    } finally {
      await host.close();
    }
  }
  throw new CliError(`no machine ${name} on ${asked.join(', ')}`);
}

async function findOn(host: HyperVHost, name: string): Promise<MachineHandle | undefined> {
  const wanted = name.toLowerCase();
  const found = (await host.machines.list()).filter(({ id, name: own, notes }) =>
    [id, own, notes[0] ?? ''].some((one) => one.toLowerCase() === wanted),
  );
  if (found.length < 2) return found[0];
  throw new CliError(
    `host ${host.name} has ${found.length} machines ${name}: give one of ${found.map(({ id }) => id).join(', ')}`,
    EXIT.usage,
  );
}

/** The plan of a file, what `plan --json` printed or a spec alone: any data, compared field by field. */
function specOfDocument(document: unknown, file: string): unknown {
  const spec = isRecord(document) && 'spec' in document ? document['spec'] : document;
  if (isRecord(spec) && Array.isArray(spec['nics']) && isRecord(spec['memory'])) return spec;
  throw new CliError(`${file} holds no plan that would boot (nova-hyperv plan --json)`, EXIT.usage);
}

/** Ids of a plan's ports in their order. */
function portIds(planned: unknown): readonly { readonly portId: string }[] {
  const nics: unknown = isRecord(planned) ? planned['nics'] : undefined;
  if (!Array.isArray(nics)) return [];
  return nics.flatMap((nic: unknown) =>
    isRecord(nic) && typeof nic['portId'] === 'string' ? [{ portId: nic['portId'] }] : [],
  );
}

async function planOfInstance(
  host: PlanHostFacts,
  observed: ObservedMachine,
  flags: ShowFlags,
): Promise<VmSpec> {
  const uuid = observed.settings?.note ?? '';
  if (!/^[0-9a-f-]{36}$/i.test(uuid))
    throw new CliError('the machine names no instance in its notes: compare it with --plan plan.json');
  const conf = NovaConf.read(flags.configFile.map((file) => resolve(file)));
  const config = driverConfig(driverOptions(conf));
  const cloud = await accessCloud(stateFolder(resolve(flags.state)), flags.cloud);
  try {
    return await planInCloud(cloud, uuid, asIfAsked(host, observed), observed, config);
  } finally {
    await cloud.close();
  }
}

/** The machine is there: whether its host would take another one like it is not the question. Its devices are those that it has. */
function asIfAsked(host: PlanHostFacts, { pciDevices }: ObservedMachine): PlanHostFacts {
  return {
    ...host,
    guarded: true,
    remoteFx: { hasRole: true, gpuCapable: true, slatCapable: true },
    pciDevices: pciDevices.map(({ systemName, deviceId }) => ({
      systemName,
      deviceId,
      instancePath: '',
      locationPath: '',
      vendorId: '',
      productId: '',
      address: deviceId,
      inUse: false,
    })),
  };
}

async function planInCloud(
  cloud: CloudAccess,
  uuid: string,
  host: PlanHostFacts,
  observed: ObservedMachine,
  config: DriverConfig,
): Promise<VmSpec> {
  const server = await cloud.compute.server(uuid);
  const image = server.imageId === '' ? undefined : await cloud.images.find(server.imageId);
  if (image === undefined)
    throw new CliError(`the image of server ${uuid} is gone: compare with --plan plan.json`);
  const { instanceName, hostname, name, projectId, userId, flavor, metadata, imageId } = server;
  const { spec, refusals } = explainPlan({
    instance: {
      uuid,
      // Only administrators are told the machine's name.
      name: instanceName || (observed.settings?.name ?? ''),
      hostname: hostname || name,
      displayName: name,
      projectId,
      userId,
      imageRef: imageId,
      flavor,
      metadata,
      pciDevices: observed.pciDevices.map(({ deviceId }) => ({ address: deviceId })),
    },
    image: { ...image.meta, diskFormat: rootFormat(observed) ?? image.meta.diskFormat },
    vifs: await portsOf(cloud, uuid, observed),
    host,
    config: { ...config, enableRemoteFx: true },
  });
  if (spec !== null) return spec;
  const why = refusals.map(({ message }) => message).join('\n  ');
  throw new CliError(
    `a boot of server ${uuid} would be refused now, so that there is nothing to compare with:\n  ${why}`,
  );
}

/** Which of the two disk formats the image holds only its content tells; the root's name says which it was. */
function rootFormat({ drives }: ObservedMachine): string | undefined {
  const paths = drives.map(({ image }) => image?.path ?? '');
  return paths
    .map((path) => /\\root\.(vhdx?|iso)$/i.exec(path)?.[1]?.toLowerCase())
    .find((one) => one !== undefined);
}

/** The instance's ports, in the order in which the machine has them: which is Nova's own is not told. */
async function portsOf(
  cloud: CloudAccess,
  deviceId: string,
  { nics }: ObservedMachine,
): Promise<readonly Vif[]> {
  const rank = (id: string): number => {
    const index = nics.findIndex((nic: Pick<NicSpec, 'portId'>) => nic.portId === id);
    return index === -1 ? nics.length : index;
  };
  const ports = await cloud.network.ports({ deviceId });
  return ports
    .toSorted((a, b) => rank(a.id) - rank(b.id))
    .map((port) => ({
      portId: port.id,
      mac: port.macAddress,
      networkId: port.networkId,
      networkLabel: '',
      vifType: port.bindingVifType,
      mtu: 1500,
      active: port.status === 'ACTIVE',
      fixedIps: [],
      portSecurityEnabled: port.portSecurityEnabled,
      securityGroups: port.securityGroups,
    }));
}
