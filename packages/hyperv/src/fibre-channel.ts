import { isCimInstance } from '@nova-hyperv/wsman';
import type { CimInstance, CimValue } from '@nova-hyperv/wsman';
import { hasCode } from './errors.js';
import { DRIVERS } from './names.js';
import { instances, numbers, numeric, text } from './read.js';
import type { HostWire } from './wire.js';

/** One port of the host's Fibre Channel adapters; sixteen lower-case hexadecimal digits each. */
export interface FibreChannelPort {
  readonly wwpn: string;
  readonly wwnn: string;
}

/** A logical unit that an adapter has mapped. */
export interface FibreChannelMapping {
  readonly targetWwpn: string;
  readonly lun: number;
  /** Windows' disk number; undefined while another path of MPIO has the disk. */
  readonly diskNumber: number | undefined;
}

/** More than any host has. */
const MOST_MAPPINGS = 4096;

/** The host's Fibre Channel adapters. Source: hbapiwmi.h of the Windows Driver Kit (MSFC classes, root/wmi). */
export class FibreChannel {
  readonly #wire: HostWire;

  constructor(wire: HostWire) {
    this.#wire = wire;
  }

  /** None on a host without adapters, which does not have the class either. */
  async ports(): Promise<readonly FibreChannelPort[]> {
    try {
      const rows = await this.#wire.client.query(DRIVERS, 'SELECT * FROM MSFC_FibrePortHBAAttributes');
      return rows.flatMap(({ instance }) => portsOf(instance.properties['Attributes']));
    } catch (error) {
      if (hasCode(error, 'WSMAN_FAULT')) return [];
      throw error;
    }
  }

  /** What all ports see of the targets. One query, and a call for each adapter and port. */
  async mappings(): Promise<readonly FibreChannelMapping[]> {
    const [ports, adapters] = await Promise.all([
      this.ports(),
      this.#wire.client.query(DRIVERS, 'SELECT * FROM MSFC_HBAFCPInfo'),
    ]);
    const found = await Promise.all(
      adapters.flatMap(({ reference }) =>
        ports.map(async ({ wwpn }) => {
          const { returnValue, out } = await this.#wire.client.invoke(reference, 'GetFcpTargetMapping', {
            HbaPortWWN: [...Buffer.from(wwpn, 'hex')],
            InEntryCount: MOST_MAPPINGS,
          });
          // Another adapter's port.
          if (returnValue !== 0 || Number(out['HBAStatus'] ?? 0) !== 0) return [];
          return instances(out['Entry']).map(mappingOf);
        }),
      ),
    );
    return found.flat();
  }
}

function portsOf(value: CimValue | undefined): readonly FibreChannelPort[] {
  return instances(value).map((attributes) => ({
    wwpn: wwn(attributes, 'PortWWN'),
    wwnn: wwn(attributes, 'NodeWWN'),
  }));
}

function mappingOf(entry: CimInstance): FibreChannelMapping {
  const fcp = entry.properties['FCPId'] ?? null;
  const scsi = entry.properties['ScsiId'] ?? null;
  const device = isCimInstance(scsi) ? text(scsi, 'OSDeviceName') : '';
  const number = /PHYSICALDRIVE(\d{1,6})$/i.exec(device)?.[1];
  return {
    targetWwpn: isCimInstance(fcp) ? wwn(fcp, 'PortWWN') : '',
    lun: isCimInstance(scsi) ? numeric(scsi, 'ScsiOSLun') : -1,
    diskNumber: number === undefined ? undefined : Number(number),
  };
}

function wwn(instance: CimInstance, property: string): string {
  return Buffer.from(numbers(instance, property)).toString('hex');
}
