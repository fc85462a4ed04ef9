import { imageOf } from '@nova-hyperv/compute';
import { numaConstraints } from '@nova-hyperv/driver';
import type { Call, Route } from '../api/call.js';
import type { Nova } from '../deps.js';
import { findServer } from './find.js';

/**
 * `GET /servers/{id}/topology`, from 2.78 on: the NUMA nodes that the guest was made with. nova/api/openstack/compute/server_topology.py.
 * Where they lie on the host (`host_node`) is Hyper-V's own matter and changes with every start: it is left out, as for users.
 */
async function show(nova: Nova, call: Call): Promise<object> {
  const server = await findServer(nova, call);
  const cells = numaConstraints(server.flavor, imageOf(server).properties) ?? [];
  return {
    nodes: cells.map(({ processors, memoryMb }) => ({
      memory_mb: memoryMb,
      siblings: [],
      vcpu_set: processors,
    })),
    pagesize_kb: null,
  };
}

export function registerServerTopology(route: Route, nova: Nova): void {
  route('GET', '/servers/:id/topology', (call) => show(nova, call), { since: 78 });
}
