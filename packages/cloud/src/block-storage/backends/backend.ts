/** A volume or snapshot as back ends know it. */
export interface StoredVolume {
  readonly id: string;
  readonly sizeGb: number;
}

export interface StoredSnapshot {
  readonly id: string;
  readonly volumeId: string;
  /** Size of the volume when the snapshot was taken. */
  readonly sizeGb: number;
}

/** Content of an image on its way into a volume: a local file in one of Glance's disk formats. */
export interface ImageContent {
  readonly path: string;
  readonly diskFormat: string;
}

export interface BackendStats {
  readonly totalBytes: number;
  readonly freeBytes: number;
}

/** `connection_info` of an attachment: Cinder's names, for Nova's compute service. */
export interface ConnectionInfo {
  readonly driver_volume_type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Of an attachment: what the compute host said of itself. */
export type Connector = Readonly<Record<string, unknown>>;

/** Work that takes long: may be given up, tells how far it is. */
export interface LongWork {
  readonly signal?: AbortSignal;
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/**
 * Where volumes are kept: a Cinder volume driver (cinder/interface/volume_driver.py). Every operation either happens or leaves nothing behind;
 * deleting what is not there is harmless, so that a call interrupted by a kill may be made again. Throws {@link BackendError}.
 */
export interface VolumeBackend {
  /** Of `[backends]`, in `host@NAME#NAME`: `smb`, `iscsi`. */
  readonly name: string;
  readonly storageProtocol: 'SMB' | 'iSCSI';
  readonly vendor: string;
  /** Null when an attached volume can grow; else the reason why not, for the user. */
  readonly onlineExtendRefusal: string | null;
  /** Makes ready to serve; removes what killed operations left: everything that is not in `known`. Exports that connections rely on are served again. */
  start(known: {
    readonly volumes: readonly StoredVolume[];
    readonly snapshots: readonly StoredSnapshot[];
    readonly attachments: readonly { readonly volume: StoredVolume; readonly connector: Connector }[];
  }): Promise<void>;
  stop(): Promise<void>;
  stats(): Promise<BackendStats>;

  createVolume(volume: StoredVolume): Promise<void>;
  /** The volume may be larger than the snapshot. */
  createVolumeFromSnapshot(volume: StoredVolume, snapshot: StoredSnapshot): Promise<void>;
  cloneVolume(volume: StoredVolume, source: StoredVolume): Promise<void>;
  /** IMAGE_TOO_LARGE when the image's virtual size does not fit. */
  createVolumeFromImage(volume: StoredVolume, image: ImageContent, work?: LongWork): Promise<void>;
  deleteVolume(volumeId: string): Promise<void>;
  /** Never shrinks. */
  extendVolume(volume: StoredVolume, newSizeGb: number): Promise<void>;
  createSnapshot(snapshot: StoredSnapshot): Promise<void>;
  deleteSnapshot(snapshot: StoredSnapshot): Promise<void>;
  /** Writes the volume's content as a new file at `path`. */
  copyVolumeToFile(
    volume: StoredVolume,
    path: string,
    diskFormat: 'raw' | 'vhd' | 'vhdx' | 'qcow2',
    work?: LongWork,
  ): Promise<void>;

  /** Exports the volume to the host of the connector; the same request again gives the same. `mode` is Cinder's attach_mode. */
  initializeConnection(
    volume: StoredVolume,
    connector: Connector,
    mode: 'rw' | 'ro',
  ): Promise<ConnectionInfo>;
  /** Ends the export to that host. Harmless when there is none. */
  terminateConnection(volume: StoredVolume, connector: Connector): Promise<void>;
}

export type BackendErrorCode =
  'NO_SPACE' | 'IMAGE_TOO_LARGE' | 'IMAGE_INVALID' | 'VOLUME_IN_USE' | 'NOT_FOUND' | 'FAILED';

/** `message` is for the user, and names what to do. */
export class BackendError extends Error {
  readonly code: BackendErrorCode;
  constructor(code: BackendErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BackendError';
    this.code = code;
  }
}
