import type { AnyDatabase } from '../../kernel/database.js';
import type { NetworkTables } from '../tables.js';
import { createGuestDirectory } from './directory.js';
import { NetworkNode } from './network-node.js';
import type { NetworkNodeOptions } from './network-node.js';

export type { ProxiedAnswer, ProxiedRequest } from './metadata-proxy.js';
export type { NetworkNode, NodeCable } from './network-node.js';

/** The network node of a cloud: one serves all wires of its physical network. */
export function createNetworkNode(
  db: AnyDatabase,
  options: Omit<NetworkNodeOptions, 'directory'>,
): NetworkNode {
  return new NetworkNode({ ...options, directory: createGuestDirectory(db.withTables<NetworkTables>()) });
}
