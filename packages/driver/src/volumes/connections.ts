import { isFinalStorageError } from '@nova-hyperv/hyperv';
import { DriverError } from '../errors.js';
import { KeyedLock } from '../keyed-lock.js';
import type { VolumeDevice } from '../volume-types.js';
import { addressOf } from './address.js';
import type { VolumeAddress } from './address.js';
import type { ConnectedVolume, Connector, ConnectorContext } from './connector.js';
import { FibreChannelConnector } from './fibre-channel-connector.js';
import { IscsiConnector } from './iscsi-connector.js';
import { SmbConnector } from './smb-connector.js';

/** What the host is connected to for its machines. Volumes that share a target or a share take turns. */
export class VolumeConnections {
  readonly #context: ConnectorContext;
  readonly #locks = new KeyedLock();
  /** Volumes that are being attached, by what they share with others: no drive shows yet that it is needed. */
  readonly #held = new Map<string, string[]>();
  readonly #iscsi: IscsiConnector;
  readonly #fibreChannel: FibreChannelConnector;
  readonly #smb: SmbConnector;

  constructor(context: ConnectorContext) {
    this.#context = context;
    this.#iscsi = new IscsiConnector(context);
    this.#fibreChannel = new FibreChannelConnector(context);
    this.#smb = new SmbConnector(context);
  }

  /** Until the answer is called, what these volumes share is not disconnected for the sake of others. */
  hold(addresses: readonly VolumeAddress[]): () => void {
    const entries = addresses.flatMap((address) =>
      this.#shared(address).map((shared) => [shared, address.volumeId] as const),
    );
    for (const [shared, id] of entries) this.#held.set(shared, [...(this.#held.get(shared) ?? []), id]);
    return () => {
      for (const [shared, id] of entries.splice(0)) {
        const left = [...(this.#held.get(shared) ?? [])];
        const index = left.indexOf(id);
        if (index >= 0) left.splice(index, 1);
        if (left.length === 0) this.#held.delete(shared);
        else this.#held.set(shared, left);
      }
    };
  }

  /** One try. */
  connectOnce(volume: VolumeDevice, signal?: AbortSignal): Promise<ConnectedVolume> {
    const address = addressOf(volume);
    return this.#exclusive(address, () => this.#of(address).connect(address, volume, signal));
  }

  /** With the tries that volume_attach_retry_count allows. @throws DriverError VolumeAttachFailed */
  async connect(volume: VolumeDevice, signal?: AbortSignal): Promise<ConnectedVolume> {
    const { config, log, sleep } = this.#context;
    const { volumeId } = volume;
    for (let tried = 0; ; tried += 1) {
      try {
        return await this.connectOnce(volume, signal);
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof DriverError && error.novaName !== 'DiskNotFound') throw error;
        if (tried >= config.volumeAttachRetryCount || isFinalStorageError(error))
          throw attachFailed(volumeId, error);
        log.warn({ err: error, volume: volumeId }, 'The volume could not be connected; it is tried again');
        await sleep(config.volumeAttachRetryIntervalSeconds * 1000, signal);
      }
    }
  }

  locate(address: VolumeAddress): Promise<ConnectedVolume | undefined> {
    return this.#of(address).locate(address);
  }

  disconnect(address: VolumeAddress): Promise<void> {
    const isNeeded = (shared: string) => (this.#held.get(shared) ?? []).some((id) => id !== address.volumeId);
    return this.#exclusive(address, () => this.#of(address).disconnect(address, isNeeded));
  }

  #shared(address: VolumeAddress): readonly string[] {
    return this.#of(address).sharedWith(address);
  }

  /** Locks are taken in one order, so that two volumes never wait for each other. */
  #exclusive<T>(address: VolumeAddress, work: () => Promise<T>): Promise<T> {
    const keys = [...this.#shared(address)].toSorted();
    return keys.reduceRight((inner, key) => () => this.#locks.run(key, inner), work)();
  }

  #of(address: VolumeAddress): Connector {
    switch (address.type) {
      case 'iscsi':
        return this.#iscsi;
      case 'fibre_channel':
        return this.#fibreChannel;
      case 'smbfs':
        return this.#smb;
      default:
        return address satisfies never;
    }
  }
}

/** Nova's message; the reason has no secret in it. */
export function attachFailed(volumeId: string, error: unknown): DriverError {
  const reason = error instanceof Error ? error.message : String(error);
  return new DriverError(
    'VolumeAttachFailed',
    `Volume ${volumeId} could not be attached. Reason: ${reason}`,
    {
      scope: 'host',
      cause: error,
    },
  );
}
