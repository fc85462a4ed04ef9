import { join } from 'node:path';
import type { Logger } from 'pino';
import {
  BackendError,
  type ConnectionInfo,
  type Connector,
  type StoredVolume,
  type VolumeBackend,
} from './backend.js';
import { hostOf, initiatorOf } from './connector.js';
import { guarded } from './failure.js';
import { FileBackend } from './file-backend.js';
import { FileVolumes } from './file-volumes.js';
import { RawFiles } from './raw-files.js';
import { type Export, LUN } from './tgt/exports.js';
import { endTgtd } from './tgt/process.js';
import type { TgtTarget } from './tgt/protocol.js';
import { TargetRecords, type TargetRecord } from './tgt/records.js';
import { TargetService } from './tgt/service.js';
import { volumeName } from './volume-files.js';

export interface IscsiOptions {
  /** Address of this machine at which hosts reach the volumes. */
  readonly address?: string;
  /** A free one is chosen, and kept, when it is left out. */
  readonly port?: number;
  /**
   * What becomes of an attached volume that is to grow. `in-place` (default): the target stays, and hosts connect to it again by themselves. `recreate`: targets would be made
   * anew, as Cinder's LVM driver does with tgt, so that growing is refused.
   */
  readonly growth?: 'in-place' | 'recreate';
}

const ROOT = join('volumes', 'iscsi');
/** cinder.conf `target_prefix` */
const PREFIX = 'iqn.2010-10.org.openstack:';
const RECREATED =
  'This back end makes iSCSI targets anew when it extends their volumes, which hosts that are connected do not survive; detach it first.';

const folderOf = (stateDir: string): string => join(stateDir, ROOT, 'tgtd');

/** Ends the target service of a cloud, once no guest needs it any more. Harmless when there is none. */
export const endVolumeTargets = (stateDir: string): Promise<void> => endTgtd(folderOf(stateDir));

interface Attachment {
  readonly host: string;
  readonly initiator: string;
}

/** Volumes as plain files that tgtd serves over iSCSI, as Cinder's LVM driver does with volumes of LVM (cinder/volume/targets/tgt.py). */
export class IscsiBackend extends FileBackend implements VolumeBackend {
  readonly name = 'iscsi';
  readonly storageProtocol = 'iSCSI';
  readonly onlineExtendRefusal: string | null;
  readonly #records: TargetRecords;
  readonly #targets: TargetService;
  readonly #attachments = new Map<string, readonly Attachment[]>();

  constructor(stateDir: string, program: string, options: IscsiOptions, log: Logger) {
    super(new FileVolumes({ root: join(stateDir, ROOT), disks: new RawFiles(), log }));
    this.onlineExtendRefusal = options.growth === 'recreate' ? RECREATED : null;
    this.#records = new TargetRecords(stateDir);
    this.#targets = new TargetService({
      program,
      folder: folderOf(stateDir),
      address: options.address ?? '127.0.0.1',
      ...(options.port === undefined ? {} : { port: options.port }),
      log,
    });
  }

  protected isAttached(volumeId: string): boolean {
    return this.#attachments.has(volumeId);
  }

  async start(known: Parameters<VolumeBackend['start']>[0]): Promise<void> {
    // tgtd takes paths in a list that commas divide.
    if (this.volumes.files.volumesDir.includes(','))
      throw new BackendError('FAILED', 'tgtd takes no path with a comma; choose another state folder.');
    await this.#records.load(new Set(known.volumes.map(({ id }) => id)));
    for (const { volume, connector } of known.attachments) {
      if (initiatorOf(connector) === undefined) continue;
      await this.#records.findOrMake(volume.id);
      this.#attach(volume.id, attachmentOf(connector));
    }
    await this.volumes.start(known.volumes, known.snapshots, (id) => this.isAttached(id));
    await this.#targets.start(() => this.#wanted());
  }

  stop(): Promise<void> {
    return this.#targets.stop();
  }

  async deleteVolume(volumeId: string): Promise<void> {
    this.refuseAttached(volumeId);
    await guarded(async () => {
      if (this.#records.find(volumeId) !== undefined)
        await this.#targets.useRunning((exports) => exports.remove(iqnOf(volumeId)));
      await this.volumes.delete(volumeId);
      await this.#records.remove(volumeId);
    });
  }

  async extendVolume(volume: StoredVolume, newSizeGb: number): Promise<void> {
    if (this.onlineExtendRefusal !== null) this.refuseAttached(volume.id, this.onlineExtendRefusal);
    await this.volumes.extend(volume, newSizeGb);
    const wanted = this.#export(volume.id);
    if (wanted === undefined) return;
    try {
      await guarded(() => this.#targets.use((exports) => exports.growInPlace(wanted, this.#targets.portal)));
    } catch (error) {
      // Nobody was told of the new size.
      if (error instanceof BackendError && error.code === 'VOLUME_IN_USE')
        await this.volumes.takeBack(volume);
      else await this.#targets.repair();
      throw error;
    }
  }

  async initializeConnection(
    volume: StoredVolume,
    connector: Connector,
    mode: 'rw' | 'ro',
  ): Promise<ConnectionInfo> {
    const attachment = attachmentOf(connector);
    await this.volumes.requireThere(volume.id);
    const record = await this.#records.findOrMake(volume.id, mode === 'ro');
    const before = this.#attachments.get(volume.id);
    this.#attach(volume.id, attachment);
    try {
      await this.#serve(volume.id);
    } catch (error) {
      if (before === undefined) this.#attachments.delete(volume.id);
      else this.#attachments.set(volume.id, before);
      await this.#serve(volume.id).catch(() => undefined);
      throw error;
    }
    return this.#connectionInfo(volume.id, record);
  }

  /** As `_get_iscsi_properties` of cinder/volume/targets/iscsi.py makes it. */
  #connectionInfo(volumeId: string, { username, password }: TargetRecord): ConnectionInfo {
    return {
      driver_volume_type: 'iscsi',
      data: {
        target_discovered: false,
        target_iqn: iqnOf(volumeId),
        target_portal: this.#targets.portal,
        target_lun: LUN,
        volume_id: volumeId,
        auth_method: 'CHAP',
        auth_username: username,
        auth_password: password,
        discard: true,
      },
    };
  }

  async terminateConnection(volume: StoredVolume, connector: Connector): Promise<void> {
    const host = hostOf(connector);
    const left = (this.#attachments.get(volume.id) ?? []).filter((each) => each.host !== host);
    if (left.length === 0) this.#attachments.delete(volume.id);
    else this.#attachments.set(volume.id, left);
    await this.#serve(volume.id);
  }

  /** Of hosts that are logged in at a volume's target. */
  async sessions(volumeId: string): Promise<TgtTarget['sessions']> {
    const targets = await this.#targets.use((exports) => exports.list());
    return targets.find(({ name }) => name === iqnOf(volumeId))?.sessions ?? [];
  }

  /** Brings the target of a volume to what its attachments want. */
  async #serve(volumeId: string): Promise<void> {
    const wanted = this.#export(volumeId);
    await guarded(() =>
      wanted === undefined
        ? this.#targets.useRunning((exports) => exports.remove(iqnOf(volumeId)))
        : this.#targets.use((exports) => exports.ensure(wanted)),
    );
  }

  #attach(volumeId: string, attachment: Attachment): void {
    const others = (this.#attachments.get(volumeId) ?? []).filter(({ host }) => host !== attachment.host);
    this.#attachments.set(volumeId, [...others, attachment]);
  }

  #wanted(): readonly Export[] {
    return [...this.#attachments.keys()].flatMap((id) => this.#export(id) ?? []);
  }

  #export(volumeId: string): Export | undefined {
    const attachments = this.#attachments.get(volumeId);
    const record = this.#records.find(volumeId);
    if (attachments === undefined || record === undefined) return undefined;
    return {
      iqn: iqnOf(volumeId),
      path: this.volumes.files.volume(volumeId),
      serial: volumeId.replaceAll('-', ''),
      record,
      initiators: [...new Set(attachments.map(({ initiator }) => initiator))],
    };
  }
}

const iqnOf = (volumeId: string): string => PREFIX + volumeName(volumeId);

/** RFC 3720 3.2.6: letters, digits, `-`, `.`, `:`. Whatever else would be read as part of a list. */
const NAME = /^(?:iqn|eui|naa)\.[A-Za-z0-9.:-]{1,219}$/;

/** @throws BackendError FAILED for a host that says no name of its initiator. */
function attachmentOf(connector: Connector): Attachment {
  const initiator = initiatorOf(connector);
  if (initiator === undefined || !NAME.test(initiator))
    throw new BackendError(
      'FAILED',
      'The host has no iSCSI initiator name; start its iSCSI initiator service, or use volumes of another type.',
    );
  return { host: hostOf(connector), initiator };
}
