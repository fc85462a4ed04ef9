import { wqlLikePrefix } from '@nova-hyperv/wsman';
import type { CimInstance, CimReference } from '@nova-hyperv/wsman';
import { settingsInstance } from './machines.js';
import type { MachineHandle, Machines } from './machines.js';
import { numeric, text } from './read.js';
import type { HostWire } from './wire.js';

const PORT_ACL = 'Msvm_EthernetSwitchPortAclSettingData';
/** Action, Applicability, Direction and AclType of the class. Source: HyperV_v2, Msvm_EthernetSwitchPortAclSettingData. */
const METER = 3;
const LOCAL = 1;
const DIRECTIONS = [1, 2];
const TYPES = [2, 3];

/** Every direction of IPv4 and IPv6, whatever the addresses. */
const METERS = TYPES.flatMap((type) => DIRECTIONS.map((direction) => ({ type, direction })));

/**
 * Metering ACLs of switch ports: without them a port's traffic has no metrics. They belong to the port's settings and stay when the
 * machine goes off.
 */
export class PortMeters {
  readonly #wire: HostWire;
  readonly #machines: Pick<Machines, 'addFeatures'>;

  constructor(wire: HostWire, machines: Pick<Machines, 'addFeatures'>) {
    this.#wire = wire;
    this.#machines = machines;
  }

  /** Adds to the ports of connections what they lack: one query, and a call for each meter. */
  async ensure(machine: Pick<MachineHandle, 'id'>, connections: readonly CimReference[]): Promise<void> {
    const where = `InstanceID LIKE ${wqlLikePrefix(`Microsoft:${machine.id}`)}`;
    const there = await this.#wire.query(`SELECT * FROM ${PORT_ACL} WHERE ${where}`);
    const acls = there.map(({ instance }) => instance);
    await Promise.all(connections.map((connection) => this.#add(connection, missing(connection, acls))));
  }

  /** For ports that have just been made: four calls each. */
  async addAll(connections: readonly CimReference[]): Promise<void> {
    await Promise.all(connections.map((connection) => this.#add(connection, METERS)));
  }

  async #add(connection: CimReference, meters: typeof METERS): Promise<void> {
    // One a call: that is how it is known to work.
    for (const wanted of meters) await this.#machines.addFeatures(connection, [meter(wanted)]);
  }
}

function missing(connection: CimReference, acls: readonly CimInstance[]): typeof METERS {
  const prefix = `${connection.keys['InstanceID'] ?? ''}\\`.toLowerCase();
  const own = acls.filter(
    (acl) => text(acl, 'InstanceID').toLowerCase().startsWith(prefix) && numeric(acl, 'Action') === METER,
  );
  return METERS.filter(
    ({ type, direction }) =>
      !own.some((acl) => numeric(acl, 'AclType') === type && numeric(acl, 'Direction') === direction),
  );
}

function meter({ type, direction }: (typeof METERS)[number]): CimInstance {
  return settingsInstance(PORT_ACL, {
    AclType: type,
    Direction: direction,
    Action: METER,
    Applicability: LOCAL,
  });
}
