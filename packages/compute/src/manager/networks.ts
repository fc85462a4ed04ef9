import type { Vif } from '@nova-hyperv/driver';
import { ComputeError } from '../errors.js';
import type { BuildRequest, InstanceRecord, RequestedNetwork } from '../ports.js';
import type { NeutronNetwork, NeutronPort, PortChanges } from '../rest/neutron.js';
import { isStatus } from '../rest/rest-error.js';
import type { CallOptions } from '../rest/rest-client.js';
import type { ComputeContext } from './context.js';
import { portError } from './network-error.js';
import { withSubnets } from './vif-subnets.js';
import { preservedPorts } from './preserved-ports.js';

/** One NIC as asked for, checked: a port that the user made, or a network for a port to be made on. */
type Wanted =
  | { readonly port: NeutronPort; readonly network: NeutronNetwork }
  | { readonly port: null; readonly network: NeutronNetwork; readonly fixedIp: string | undefined };

const UUID = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;

function deviceOwner(ctx: ComputeContext, record: InstanceRecord): string {
  return `compute:${record.availabilityZone ?? ctx.config.defaultAvailabilityZone}`;
}

function toVif(port: NeutronPort, network: NeutronNetwork): Vif {
  return {
    portId: port.id,
    mac: port.macAddress,
    networkId: port.networkId,
    networkLabel: network.name,
    vifType: port.bindingVifType,
    mtu: network.mtu,
    // A port that is administratively down never becomes active: nobody should wait for it.
    active: port.status === 'ACTIVE' || !port.adminStateUp,
    fixedIps: port.fixedIps.map(({ subnetId, ipAddress }) => ({ subnetId, address: ipAddress })),
    portSecurityEnabled: port.portSecurityEnabled,
    securityGroups: port.securityGroups,
  };
}

/** The network of an instance whose user named none: the project's single one (nova/network/neutron.py). */
async function singleNetwork(
  ctx: ComputeContext,
  record: InstanceRecord,
  call: CallOptions,
): Promise<NeutronNetwork> {
  const own = await ctx.network.networks({ projectId: record.projectId, shared: false }, call);
  const shared = await ctx.network.networks({ shared: true }, call);
  const usable = [...new Map([...own, ...shared].map((network) => [network.id, network])).values()].filter(
    (network) => network.adminStateUp && !network.external && network.subnets.length > 0,
  );
  const [only, ...others] = usable;
  if (only === undefined) {
    throw new ComputeError(
      'UnableToAutoAllocateNetwork',
      `Unable to automatically allocate a network for project ${record.projectId}. Create a network with a subnet, or ask for no network.`,
    );
  }
  if (others.length > 0) {
    throw new ComputeError(
      'NetworkAmbiguous',
      'More than one possible network found. Specify network ID(s) to select which one(s) to connect to.',
    );
  }
  return only;
}

async function givenPort(
  ctx: ComputeContext,
  record: InstanceRecord,
  portId: string,
  call: CallOptions,
): Promise<NeutronPort> {
  let port: NeutronPort;
  try {
    port = await ctx.network.showPort(portId, call);
  } catch (error) {
    if (!isStatus(error, 404)) throw error;
    throw new ComputeError('PortNotFound', `Port id ${portId} could not be found.`, { cause: error });
  }
  if (port.projectId !== record.projectId) {
    throw new ComputeError(
      'PortNotUsable',
      `Port ${portId} not usable for instance ${record.uuid}: it belongs to another project.`,
    );
  }
  if (port.deviceId !== '' && port.deviceId !== record.uuid) {
    throw new ComputeError(
      'PortInUse',
      `Port ${portId} is still in use. Detach it there, or give another port.`,
    );
  }
  return port;
}

function checkNetwork(record: InstanceRecord, network: NeutronNetwork): void {
  if (network.external && !network.shared && network.projectId !== record.projectId) {
    throw new ComputeError(
      'ExternalNetworkAttachForbidden',
      `It is not allowed to create an interface on external network ${network.id}.`,
    );
  }
  if (network.subnets.length === 0) {
    throw new ComputeError(
      'NetworkRequiresSubnet',
      `Network ${network.id} requires a subnet in order to boot instances on.`,
    );
  }
}

function checkRequest(request: RequestedNetwork): void {
  if (request.portId === undefined && request.networkId === undefined) {
    throw new ComputeError(
      'InvalidInput',
      'Invalid input received: a network needs a network id or a port id.',
    );
  }
}

async function resolve(
  ctx: ComputeContext,
  record: InstanceRecord,
  requests: readonly RequestedNetwork[],
  call: CallOptions,
): Promise<readonly Wanted[]> {
  for (const request of requests) checkRequest(request);
  const ports = new Map<string, NeutronPort>();
  for (const { portId } of requests) {
    if (portId !== undefined) ports.set(portId, await givenPort(ctx, record, portId, call));
  }
  const networkIds = requests.map(
    ({ portId, networkId }) => (portId === undefined ? networkId : ports.get(portId)?.networkId) ?? '',
  );
  const found = await ctx.network.networks({ ids: [...new Set(networkIds)] }, call);
  const networks = new Map(found.map((network) => [network.id, network]));
  return requests.map((request, index) => {
    const network = networks.get(networkIds[index] ?? '');
    if (network === undefined) {
      throw new ComputeError('NetworkNotFound', `Network ${networkIds[index] ?? ''} could not be found.`);
    }
    const port = request.portId === undefined ? undefined : ports.get(request.portId);
    if (port !== undefined) return { port, network };
    checkNetwork(record, network);
    return { port: null, network, fixedIp: request.fixedIp };
  });
}

/** Neutron takes ids; users give names, too. `default` is what Neutron applies by itself. */
async function securityGroupIds(
  ctx: ComputeContext,
  record: InstanceRecord,
  groups: readonly string[],
  call: CallOptions,
): Promise<readonly string[] | undefined> {
  const named = groups.filter((group) => group !== '');
  if (named.every((group) => group === 'default')) return undefined;
  const known = await ctx.network.securityGroups({ projectId: record.projectId }, call);
  return [...new Set(named)].map((group) => {
    const matches = known.filter(({ id, name }) => id === group || (name === group && !UUID.test(group)));
    const [match] = matches;
    if (match === undefined || matches.length > 1) {
      const why = match === undefined ? 'not found' : 'found more than once: give its ID';
      throw new ComputeError(
        'SecurityGroupNotFound',
        `Security group ${group} ${why} for project ${record.projectId}.`,
      );
    }
    return match.id;
  });
}

function binding(ctx: ComputeContext, record: InstanceRecord): PortChanges {
  return { deviceId: record.uuid, deviceOwner: deviceOwner(ctx, record), bindingHostId: ctx.host };
}

async function bindPort(
  ctx: ComputeContext,
  record: InstanceRecord,
  wanted: Wanted,
  securityGroups: readonly string[] | undefined,
  call: CallOptions,
): Promise<NeutronPort> {
  // Never cut short by the build's signal: a request given up may still be carried out after its ports were cleaned up.
  const { requestId } = call;
  const whole: CallOptions = requestId === undefined ? {} : { requestId };
  try {
    if (wanted.port !== null) {
      return await ctx.network.updatePort(wanted.port.id, binding(ctx, record), whole);
    }
    return await ctx.network.createPort(
      {
        ...binding(ctx, record),
        networkId: wanted.network.id,
        projectId: record.projectId,
        adminStateUp: true,
        ...(wanted.fixedIp === undefined ? {} : { fixedIps: [{ ipAddress: wanted.fixedIp }] }),
        ...(securityGroups === undefined ? {} : { securityGroups }),
      },
      whole,
    );
  } catch (error) {
    throw portError(error);
  }
}

/**
 * Makes and binds the ports of an instance, in the order asked for. Everything is checked before the first port is touched; what fails
 * later leaves ports, which {@link releaseNetworks} takes back.
 * @throws ComputeError, RestError
 */
export async function allocateNetworks(
  ctx: ComputeContext,
  record: InstanceRecord,
  request: BuildRequest,
  call: CallOptions,
): Promise<readonly Vif[]> {
  const { requestedNetworks } = request;
  if (requestedNetworks === 'none') return [];
  const requests =
    requestedNetworks === 'auto'
      ? [{ networkId: (await singleNetwork(ctx, record, call)).id }]
      : requestedNetworks;
  if (requests.length === 0) return [];
  const wanted = await resolve(ctx, record, requests, call);
  const groups = await securityGroupIds(ctx, record, request.securityGroups, call);
  const vifs: Vif[] = [];
  for (const [index, one] of wanted.entries()) {
    call.signal?.throwIfAborted();
    const port = await bindPort(ctx, record, one, groups, call);
    if (port.bindingVifType === 'binding_failed') {
      throw new ComputeError(
        'PortBindingFailed',
        `Binding failed for port ${port.id}, please check neutron logs for more information.`,
        { scope: 'host' },
      );
    }
    const tag = requests[index]?.tag;
    vifs.push({ ...toVif(port, one.network), ...(tag === undefined ? {} : { tag }) });
  }
  return withSubnets(ctx, vifs, call);
}

/** Gives a port back to its user as it came: unbound, of no device. */
async function unbindPort(ctx: ComputeContext, id: string, call: CallOptions): Promise<void> {
  const unbound: PortChanges = { deviceId: '', deviceOwner: '', bindingHostId: null, bindingProfile: {} };
  await ignoreMissing(() => ctx.network.updatePort(id, unbound, call));
}

async function ignoreMissing(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isStatus(error, 404)) throw error;
  }
}

/**
 * Deletes the ports that were made for the instance and unbinds those that its user gave. Neutron is asked which there
 * are, so that it can be done again after any interruption.
 */
export async function releaseNetworks(
  ctx: ComputeContext,
  record: InstanceRecord,
  call: CallOptions,
): Promise<void> {
  const preserved = preservedPorts(record);
  const ports = await ctx.network.ports({ deviceId: record.uuid }, call);
  for (const port of ports.filter(({ deviceId }) => deviceId === record.uuid)) {
    if (preserved.has(port.id)) await unbindPort(ctx, port.id, call);
    else await ignoreMissing(() => ctx.network.deletePort(port.id, call));
  }
}
