import { hasCode } from '@nova-hyperv/hyperv';
import type { DriverContext } from '../context.js';
import { DriverError } from '../errors.js';

/** What os-brick tells Cinder of a Windows host (os_brick/initiator/windows). */
export interface ConnectorProperties {
  readonly platform: string;
  readonly os_type: string;
  /** [DEFAULT] my_block_storage_ip */
  readonly ip: string;
  readonly host: string;
  readonly multipath: boolean;
  readonly do_local_attach: boolean;
  /** The iSCSI initiator's node name. */
  readonly initiator?: string;
  readonly wwpns?: readonly string[];
  readonly wwnns?: readonly string[];
}

/** @throws DriverError ValidationError where use_multipath_io is set and the host has no MPIO */
export async function hostConnector(
  { host, config, log }: DriverContext,
  nodeName: string,
): Promise<Readonly<Record<string, unknown>>> {
  const [initiators, ports, hasMultipathIo] = await Promise.all([
    host.iscsi.initiators().catch((error: unknown) => {
      // A host without the service still has its other ways to volumes.
      if (!hasCode(error, 'WSMAN_FAULT')) throw error;
      log.warn({ err: error }, 'The host tells no iSCSI initiator: volumes cannot be attached by iSCSI');
      return [];
    }),
    host.fibreChannel.ports(),
    config.useMultipathIo ? host.hasMultipathIo() : false,
  ]);
  if (config.useMultipathIo && !hasMultipathIo) {
    throw new DriverError(
      'ValidationError',
      `[hyperv] use_multipath_io is set and host ${host.name} has no Multipath I/O. On the host: Install-WindowsFeature Multipath-IO, and let MPIO claim the disks (Enable-MSDSMAutomaticClaim -BusType iSCSI).`,
      { scope: 'host' },
    );
  }
  const missing = config.iscsiInitiatorList.filter(
    (name) => !initiators.some(({ instanceName }) => instanceName === name),
  );
  if (missing.length > 0)
    log.warn(
      `[hyperv] iscsi_initiator_list names what host ${host.name} does not have: ${missing.join(', ')}`,
    );
  const [initiator] = initiators;
  const properties: ConnectorProperties = {
    platform: 'AMD64',
    os_type: 'win32',
    ip: config.myBlockStorageIp,
    host: nodeName,
    multipath: config.useMultipathIo,
    do_local_attach: false,
    ...(initiator === undefined ? {} : { initiator: initiator.nodeName }),
    ...(ports.length === 0
      ? {}
      : {
          wwpns: ports.map(({ wwpn }) => wwpn),
          wwnns: [...new Set(ports.map(({ wwnn }) => wwnn))],
        }),
  };
  return { ...properties };
}
