import type { IscsiSession, PhysicalDisk } from '@nova-hyperv/hyperv';
import type { VolumeDevice } from '../volume-types.js';
import { chapOf, discoveryChapOf } from './address.js';
import type { IscsiAddress, IscsiPath } from './address.js';
import { asConnected, onlyDisk, refuseUnfitPolicy, waitForDisk } from './block-disks.js';
import type { ConnectedVolume, Connector, ConnectorContext } from './connector.js';

const MPIO_PATH = /^\\\\\?\\mpio/i;

/** Volumes behind the host's iSCSI initiator, as os-brick's Windows connector treats them. */
export class IscsiConnector implements Connector<IscsiAddress> {
  readonly #context: ConnectorContext;

  constructor(context: ConnectorContext) {
    this.#context = context;
  }

  sharedWith({ paths }: IscsiAddress): readonly string[] {
    return targetsOf(paths);
  }

  async connect(address: IscsiAddress, volume: VolumeDevice, signal?: AbortSignal): Promise<ConnectedVolume> {
    await refuseUnfitPolicy(this.#context);
    await this.#login(address, volume, signal);
    return waitForDisk(this.#context, address.volumeId, () => this.#find(address), signal);
  }

  async locate(address: IscsiAddress): Promise<ConnectedVolume | undefined> {
    const disk = await this.#find(address);
    return disk === undefined ? undefined : asConnected(this.#context, disk, address.volumeId);
  }

  /** A session goes only when no machine and nobody on the host uses another disk that it shows. */
  async disconnect(address: IscsiAddress, isNeeded: (target: string) => boolean): Promise<void> {
    const { host, log } = this.#context;
    for (const target of targetsOf(address.paths)) {
      const sessions = await host.iscsi.sessions(target);
      if (sessions.length === 0) continue;
      const [disks, drives] = await Promise.all([host.iscsi.disksOf(sessions), host.physicalDisks.drives()]);
      const used = await host.physicalDisks.numbersOf(drives.map(({ disk }) => disk));
      if (isNeeded(target) || disks.some(({ number, isOffline }) => used.has(number) || !isOffline)) {
        log.debug({ volume: address.volumeId }, `The session to ${target} stays: others use it`);
        continue;
      }
      await host.iscsi.logout(sessions);
    }
  }

  /** By the first path that works; with MPIO by all. */
  async #login(address: IscsiAddress, volume: VolumeDevice, signal?: AbortSignal): Promise<void> {
    const { host, config, log } = this.#context;
    const initiators = config.iscsiInitiatorList.length === 0 ? [undefined] : [...config.iscsiInitiatorList];
    const chap = chapOf(volume);
    const discoveryChap = discoveryChapOf(volume);
    let failure: unknown;
    let done = 0;
    for (const { portal, target } of address.paths) {
      const sessions = (await host.iscsi.sessions(target)).filter(({ isConnected }) => isConnected);
      for (const initiator of initiators) {
        signal?.throwIfAborted();
        try {
          if (!(await this.#isLoggedIn(sessions, portal.address, initiator))) {
            await host.iscsi.login({
              portal,
              target,
              multipath: config.useMultipathIo,
              ...(chap === undefined ? {} : { chap }),
              ...(discoveryChap === undefined ? {} : { discoveryChap }),
              ...(initiator === undefined ? {} : { initiator }),
            });
          }
          done += 1;
        } catch (error) {
          failure = error;
          log.warn({ err: error, volume: address.volumeId }, `No session to ${target} by ${portal.address}`);
        }
        if (done > 0 && !config.useMultipathIo) return;
      }
    }
    if (done === 0) throw failure;
  }

  /** One session to a target is enough without MPIO; with it, one for each portal and adapter. */
  async #isLoggedIn(
    sessions: readonly IscsiSession[],
    address: string,
    initiator: string | undefined,
  ): Promise<boolean> {
    const { host, config } = this.#context;
    const own = sessions.filter(
      ({ initiatorInstance }) => initiator === undefined || initiatorInstance === initiator,
    );
    if (!config.useMultipathIo) return own.length > 0;
    const portals = await Promise.all(own.map((session) => host.iscsi.portalsOf(session)));
    return portals.flat().some((portal) => portal.address === address);
  }

  async #find({ volumeId, paths }: IscsiAddress): Promise<PhysicalDisk | undefined> {
    const { host, config } = this.#context;
    const found = new Map<number, PhysicalDisk>();
    for (const target of targetsOf(paths)) {
      const lun = paths.find((path) => path.target === target)?.lun;
      const disks = await host.iscsi.disksOf(await host.iscsi.sessions(target));
      if (disks.length === 0) continue;
      const units = await host.physicalDisks.logicalUnits();
      const same = disks.filter(({ number }) => units.get(number) === lun);
      // MPIO numbers its disks by itself: then a target's only disk is the one.
      const chosen = same.length === 0 && config.useMultipathIo && disks.length === 1 ? disks : same;
      for (const disk of chosen) found.set(disk.number, disk);
    }
    const disk = onlyDisk([...found.values()], volumeId, host.name);
    if (disk !== undefined && config.useMultipathIo && !MPIO_PATH.test(disk.path)) return undefined;
    return disk;
  }
}

function targetsOf(paths: readonly IscsiPath[]): readonly string[] {
  return [...new Set(paths.map(({ target }) => target))];
}
