import type { PhysicalDisk } from '@nova-hyperv/hyperv';
import type { VolumeDevice } from '../volume-types.js';
import type { FibreChannelAddress } from './address.js';
import { asConnected, onlyDisk, refuseUnfitPolicy, waitForDisk } from './block-disks.js';
import type { ConnectedVolume, Connector, ConnectorContext } from './connector.js';

/** Volumes behind Fibre Channel adapters: the fabric's zoning connects them, and the host only has to look. */
export class FibreChannelConnector implements Connector<FibreChannelAddress> {
  readonly #context: ConnectorContext;

  constructor(context: ConnectorContext) {
    this.#context = context;
  }

  sharedWith(): readonly string[] {
    return [];
  }

  async connect(
    address: FibreChannelAddress,
    _volume: VolumeDevice,
    signal?: AbortSignal,
  ): Promise<ConnectedVolume> {
    await refuseUnfitPolicy(this.#context);
    return waitForDisk(this.#context, address.volumeId, () => this.#find(address), signal);
  }

  async locate(address: FibreChannelAddress): Promise<ConnectedVolume | undefined> {
    const disk = await this.#find(address);
    return disk === undefined ? undefined : asConnected(this.#context, disk, address.volumeId);
  }

  async disconnect(): Promise<void> {
    // Cinder takes the mapping away; the host forgets the disk by itself.
  }

  async #find({ targetWwpns, lun, volumeId }: FibreChannelAddress): Promise<PhysicalDisk | undefined> {
    const { host } = this.#context;
    const numbers = (await host.fibreChannel.mappings())
      .filter((mapping) => mapping.lun === lun && targetWwpns.includes(mapping.targetWwpn))
      .flatMap(({ diskNumber }) => (diskNumber === undefined ? [] : [diskNumber]));
    if (numbers.length === 0) return undefined;
    const disks = (await host.physicalDisks.list()).filter(({ number }) => numbers.includes(number));
    return onlyDisk(disks, volumeId, host.name);
  }
}
