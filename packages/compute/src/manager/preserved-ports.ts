import type { BuildRequest, InstanceRecord } from '../ports.js';

/**
 * Ports that the user gave must outlive the instance (`preserve_on_delete` of Nova's VIFs). They are kept in the instance's
 * system metadata, one key a port (values there hold at most 255 characters), from before Neutron is touched.
 */
const PREFIX = 'preserved_port_';

export function requestedPortIds(request: BuildRequest): readonly string[] {
  if (typeof request.requestedNetworks === 'string') return [];
  return request.requestedNetworks.flatMap(({ portId }) => (portId === undefined ? [] : [portId]));
}

export function withPreservedPorts(
  metadata: Readonly<Record<string, string>>,
  portIds: readonly string[],
): Readonly<Record<string, string>> {
  const others = Object.entries(metadata).filter(([key]) => !key.startsWith(PREFIX));
  return Object.fromEntries([
    ...others,
    ...portIds.map((id, index): [string, string] => [`${PREFIX}${index}`, id]),
  ]);
}

export function preservedPorts(record: InstanceRecord): ReadonlySet<string> {
  const entries = Object.entries(record.systemMetadata).filter(([key]) => key.startsWith(PREFIX));
  return new Set(entries.map(([, id]) => id));
}
