import { wqlString } from '@nova-hyperv/wsman';
import type { CimReference } from '@nova-hyperv/wsman';
import { serviceReference } from './machines.js';
import type { MachineHandle } from './machines.js';
import type { HostWire, InvokeOptions } from './wire.js';

const SERVICE = serviceReference('Msvm_VirtualSystemSnapshotService');
/** SnapshotType of CreateSnapshot. Source: HyperV_v2, Msvm_VirtualSystemSnapshotService. */
const FULL = 2;
const CHECKPOINT = 'Microsoft:Hyper-V:Snapshot:Realized';

/** Checkpoints of a host's machines. */
export class Checkpoints {
  readonly #wire: HostWire;

  constructor(wire: HostWire) {
    this.#wire = wire;
  }

  /** Freezes the disks of a machine, which goes on in differencing ones. Throws what the host refuses. */
  async create(machine: Pick<MachineHandle, 'system'>, options: InvokeOptions = {}): Promise<void> {
    await this.#wire.call(
      SERVICE,
      'CreateSnapshot',
      { AffectedSystem: machine.system, SnapshotType: FULL },
      { busyRetries: 3, ...options },
    );
  }

  /** One query. */
  async list(machine: Pick<MachineHandle, 'id'>): Promise<readonly CimReference[]> {
    const found = await this.#wire.query(
      `SELECT * FROM Msvm_VirtualSystemSettingData WHERE VirtualSystemIdentifier = ${wqlString(machine.id)} AND VirtualSystemType = ${wqlString(CHECKPOINT)}`,
    );
    return found.map(({ reference }) => reference);
  }

  /** Removes a checkpoint; what was written since goes into the disks. Waits until that is done. */
  async destroy(checkpoint: CimReference, options: InvokeOptions = {}): Promise<void> {
    await this.#wire.call(
      SERVICE,
      'DestroySnapshot',
      { AffectedSnapshot: checkpoint },
      { busyRetries: 5, ...options },
    );
  }
}
