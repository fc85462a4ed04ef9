import type { Connector } from './backend.js';

const text = (connector: Connector, name: string): string | undefined => {
  const value = connector[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
};

/** What tells one host from another: the name it gives, else its initiator or address. */
export const hostOf = (connector: Connector): string =>
  text(connector, 'host') ?? text(connector, 'initiator') ?? text(connector, 'ip') ?? '';

/** iSCSI qualified name of the host's initiator. */
export const initiatorOf = (connector: Connector): string | undefined => text(connector, 'initiator');
