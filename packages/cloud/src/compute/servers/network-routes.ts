import { ApiError, notFound } from '../../kernel/errors.js';
import type { Call, Route } from '../api/call.js';
import type { Nova } from '../deps.js';
import type { PortView } from '../ports.js';
import { findServer } from './find.js';
import { addressesOf } from './views.js';

/** 2.70 adds the tag. */
const interfaceView = (call: Call, port: PortView): object => ({
  net_id: port.networkId,
  port_id: port.id,
  mac_addr: port.mac,
  port_state: port.status,
  fixed_ips: port.fixedIps.map((ip) => ({ subnet_id: ip.subnetId, ip_address: ip.address })),
  ...(call.version >= 70 ? { tag: null } : {}),
});

async function listInterfaces(nova: Nova, call: Call): Promise<object> {
  const server = await findServer(nova, call);
  const ports = await nova.networks.portsOf(server.uuid, call.token);
  return { interfaceAttachments: ports.map((port) => interfaceView(call, port)) };
}

async function showInterface(nova: Nova, call: Call): Promise<object> {
  const server = await findServer(nova, call);
  const portId = call.params['port'] ?? '';
  const port = await nova.networks.port(portId, call.token);
  if (port === null || port.deviceId !== server.uuid) {
    throw notFound(`Instance ${server.uuid} does not have a port with id ${portId}`);
  }
  return { interfaceAttachment: interfaceView(call, port) };
}

async function listAddresses(nova: Nova, call: Call): Promise<object> {
  return { addresses: addressesOf(await findServer(nova, call), false) };
}

async function showAddresses(nova: Nova, call: Call): Promise<object> {
  const label = call.params['label'] ?? '';
  const all = addressesOf(await findServer(nova, call), false);
  const found = Object.hasOwn(all, label) ? all[label] : undefined;
  if (found === undefined) throw notFound('Instance is not a member of specified network');
  return { [label]: found };
}

const unserved = async (what: string): Promise<never> => {
  throw new ApiError(501, `${what} is not served by this cloud.`);
};

export function registerServerNetworks(route: Route, nova: Nova): void {
  route('GET', '/servers/:id/ips', (call) => listAddresses(nova, call));
  route('GET', '/servers/:id/ips/:label', (call) => showAddresses(nova, call));
  route('GET', '/servers/:id/os-interface', (call) => listInterfaces(nova, call));
  route('GET', '/servers/:id/os-interface/:port', (call) => showInterface(nova, call));
  route('POST', '/servers/:id/os-interface', () => unserved('Attaching interfaces'));
  route('DELETE', '/servers/:id/os-interface/:port', () => unserved('Detaching interfaces'));
  route('POST', '/servers/:id/remote-consoles', () => unserved('Opening a console'), { since: 6 });
}
