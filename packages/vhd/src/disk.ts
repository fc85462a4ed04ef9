/** What kind of disk file it is. Recognised by content, never by name. */
export type DiskFormat = 'vhd' | 'vhdx';
/** How it takes space: all at once, as it is written, or as it comes to differ from its parent. */
export type DiskType = 'fixed' | 'dynamic' | 'differencing';

/** Part of a disk and what reading it gives. `data` may hold anything, `zero` reads as zeros. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
  /** `parent`: not held by this file, the parent's bytes show through. */
  readonly state: 'data' | 'zero' | 'parent';
}

/**
 * An open virtual disk: random access in bytes. Offsets and lengths are below 2^53 (64 TiB at most), need not
 * be aligned, and must lie inside the disk. Calls may overlap in time; each is atomic against the file's own
 * metadata. A disk is itself a stack: a differencing disk reads through to its parents.
 *
 * Its methods throw VhdError: `VHD_OUT_OF_RANGE` outside the disk, `VHD_READ_ONLY`, `VHD_INVALID_ARGUMENT` for a size
 * that cannot be, `VHD_CORRUPT`; and Node's own errors of the file (`ENOSPC`).
 */
export interface Disk {
  readonly format: DiskFormat | 'raw';
  readonly type: DiskType;
  readonly readOnly: boolean;
  /** Bytes. Changes by {@link resize}. */
  readonly virtualSize: number;
  /** Bytes, 512 or 4096, here and for physical sectors. */
  readonly logicalSectorSize: number;
  readonly physicalSectorSize: number;
  /** Bytes; 0 for fixed disks. */
  readonly blockSize: number;
  /** The disk below a differencing disk. Owned by it: closing the child closes it. */
  readonly parent?: Disk;
  /** Fills `target`. */
  read(target: Uint8Array, offset: number): Promise<void>;
  /** Settles when it can be read back; {@link flush} makes it last. */
  write(source: Uint8Array, offset: number): Promise<void>;
  writeZeroes(offset: number, length: number): Promise<void>;
  /** A hint: the bytes are no longer needed; afterwards they may read as zeros or as before. */
  discard(offset: number, length: number): Promise<void>;
  /** Covers the range without gaps, in order. */
  extents(offset: number, length: number): Promise<readonly Extent[]>;
  /** Everything written before is in the file when this settles. */
  flush(): Promise<void>;
  /** Grows the disk or, where the format allows and no partition reaches so far, shrinks it. Bytes. */
  resize(virtualSize: number, options?: ResizeOptions): Promise<void>;
  close(): Promise<void>;
}

export interface ResizeOptions {
  /** Shrinks below the end of the last partition too, or where no partition can be told: what is cut off is lost. */
  readonly force?: boolean;
}

/** Everything that is known of a disk file without reading its data. Sizes in bytes. */
export interface DiskInfo {
  readonly path: string;
  readonly format: DiskFormat;
  readonly type: DiskType;
  readonly virtualSize: number;
  readonly fileSize: number;
  readonly blockSize: number;
  readonly logicalSectorSize: number;
  readonly physicalSectorSize: number;
  /** The disk's own identifier, upper-case GUID without braces (VHD unique id; VHDX virtual disk id). */
  readonly identifier: string;
  /** VHDX: changes with every first write after an open; what a child's `parent.identifier` must equal. */
  readonly dataWriteIdentifier?: string;
  /** VHDX: bytes that the log and the metadata region take; the size rule counts them. */
  readonly logLength?: number;
  readonly metadataLength?: number;
  readonly parent?: {
    /** VHD: the parent's unique id. VHDX: the parent's data write identifier. */
    readonly identifier: string;
    /** In the order in which they are tried, as stored (Windows paths as a rule). */
    readonly paths: readonly string[];
  };
}

/** Turns a parent locator's path (a Windows path as a rule) into a path of this machine; undefined = try the next. */
export type ResolveParent = (locatorPath: string, childPath: string) => string | undefined;

export interface OpenOptions {
  /** Default false: the file is opened for writing. */
  readonly readOnly?: boolean;
  /** Where the parents of differencing disks are. */
  readonly resolveParent?: ResolveParent;
  /**
   * What writes to a differencing VHDX that were not flushed are safe from. `power` (default): after a power cut every
   * sector has its old content or a new one. `process`: that holds when only the process ends; after a power cut,
   * sectors that were the parent's before may be zeros. Faster for many small writes. What was flushed is safe in both.
   */
  readonly durability?: 'power' | 'process';
}
