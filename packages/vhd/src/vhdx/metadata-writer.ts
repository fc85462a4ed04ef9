import { newGuid, ZERO_GUID } from '../bytes/guid.js';
import { VhdError } from '../errors.js';
import { Mutex } from '../io/locks.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import type { CurrentHeader } from './header.js';
import { updateHeaders } from './header.js';
import type { LogChange } from './log-entry.js';
import { encodeLogEntry, LOG_SECTOR, logEntryLength } from './log-entry.js';
import type { SectorSource } from './sector-cache.js';
import { SectorCache } from './sector-cache.js';

/** A change of one 4 KiB sector of metadata. `apply` gets a copy of the newest content and changes it. */
export interface SectorEdit {
  /** A multiple of 4096. */
  readonly sectorOffset: number;
  apply(sector: Buffer): void;
}

/** Commits joined into one log entry stop growing here; one commit alone may be as large as the log allows. */
const JOINED_SECTORS = 64;

interface PendingCommit {
  readonly edits: readonly SectorEdit[];
  readonly afterData: boolean;
  resolve(): void;
  reject(error: unknown): void;
}

/** Log entries written since a flush: what they changed, and the space that they take in the log. */
interface Generation {
  readonly sectors: Map<number, Buffer>;
  readonly start: number;
  bytes: number;
}

/**
 * The only way by which metadata of an open VHDX changes (MS-VHDX 2.3). A commit settles when its entry is in the log,
 * so that killing the process afterwards loses nothing; commits that come together share an entry. The changed
 * sectors go to their own places at the next flush, after the log is stable, and the log's space is free again after
 * the flush that follows. Nothing is in its place before the log that can restore it is stable, so a power cut leaves
 * the old metadata or the new.
 */
export class MetadataWriter implements SectorSource {
  readonly #file: RandomAccessFile;
  readonly #cache: SectorCache;
  readonly #order = new Mutex();
  #header: CurrentHeader;
  #queue: PendingCommit[] = [];
  #draining = false;
  #sequence = 1n;
  #head = 0;
  /** Logged, not yet in place. */
  #logged: Generation = emptyGeneration(0);
  /** In place, not yet known to be stable there. */
  #applied: Generation = emptyGeneration(0);
  #flushedSize: number;
  readonly #fileSize: () => number;
  #failed: unknown;

  /** `fileSize` tells the length that the file has by now. The log must be empty. */
  constructor(file: RandomAccessFile, header: CurrentHeader, fileSize: () => number) {
    this.#file = file;
    this.#header = header;
    this.#fileSize = fileSize;
    this.#flushedSize = fileSize();
    this.#cache = new SectorCache(file);
  }

  get header(): CurrentHeader {
    return this.#header;
  }

  /** The newest content of a sector, at once when it is in memory. Not to be changed by the caller. */
  peek(sectorOffset: number): Buffer | undefined {
    return this.#cache.peek(sectorOffset) ?? this.#logged.sectors.get(sectorOffset);
  }

  load(sectorOffset: number): Promise<Buffer> {
    const held = this.peek(sectorOffset);
    return held === undefined ? this.#cache.load(sectorOffset) : Promise.resolve(held);
  }

  /** Changes identifiers in the headers. */
  updateHeader(changes: Parameters<typeof updateHeaders>[2]): Promise<void> {
    return this.#order.run(async () => {
      this.#header = await updateHeaders(this.#file, this.#header, changes);
    });
  }

  /**
   * Settles when the edits, all or none of them, survive the end of the process.
   * @param afterData the edits put data of this file in the place of older content: they must not survive a power
   * cut that the data, which was written before this call, does not.
   */
  commit(edits: readonly SectorEdit[], afterData = false): Promise<void> {
    if (this.#failed !== undefined) return Promise.reject(this.#failure());
    return new Promise((resolve, reject) => {
      this.#queue.push({ edits, afterData, resolve, reject });
      if (this.#draining) return;
      this.#draining = true;
      void this.#order.run(() => this.#drain());
    });
  }

  async #drain(): Promise<void> {
    const batch = this.#takeBatch();
    try {
      if (this.#failed !== undefined) throw this.#failure();
      await this.#write(batch);
      for (const commit of batch) commit.resolve();
    } catch (error) {
      for (const commit of batch) commit.reject(error);
    }
    // One batch a turn: a flush that waits for its turn is not kept waiting by a stream of commits.
    if (this.#queue.length === 0) this.#draining = false;
    else void this.#order.run(() => this.#drain());
  }

  #takeBatch(): PendingCommit[] {
    const sectors = new Set<number>();
    let count = 0;
    for (const commit of this.#queue) {
      for (const edit of commit.edits) sectors.add(edit.sectorOffset);
      if (count > 0 && sectors.size > JOINED_SECTORS) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  async #write(batch: readonly PendingCommit[]): Promise<void> {
    const sectors = new Map<number, Buffer>();
    for (const { edits } of batch) {
      for (const edit of edits) {
        const copy = sectors.get(edit.sectorOffset) ?? Buffer.from(await this.load(edit.sectorOffset));
        edit.apply(copy);
        sectors.set(edit.sectorOffset, copy);
      }
    }
    if (batch.some((commit) => commit.afterData)) await this.#syncFile();
    await this.#log(sectors);
    for (const [offset, bytes] of sectors) {
      this.#logged.sectors.set(offset, bytes);
      this.#cache.replace(offset, bytes);
    }
  }

  async #log(sectors: ReadonlyMap<number, Buffer>): Promise<void> {
    const changes: LogChange[] = [...sectors].map(([fileOffset, bytes]) => ({
      kind: 'data',
      fileOffset,
      bytes,
    }));
    const length = logEntryLength(changes.length, changes.length);
    const { logLength, logOffset } = this.#header.header;
    // One sector stays free, so that a full log and an empty one look different.
    if (length > logLength - LOG_SECTOR) {
      throw new VhdError('VHD_INVALID_ARGUMENT', `${this.#file.path}: the change does not fit into the log.`);
    }
    while (this.#logged.bytes + this.#applied.bytes + length > logLength - LOG_SECTOR) await this.#flushLog();
    const isFirst = this.#header.header.logGuid === ZERO_GUID;
    const logGuid = isFirst ? newGuid() : this.#header.header.logGuid;
    const entry = encodeLogEntry({
      sequenceNumber: this.#sequence,
      tail: this.#tail(),
      logGuid,
      flushedFileOffset: this.#flushedSize,
      lastFileOffset: this.#fileSize(),
      changes,
    });
    const first = Math.min(length, logLength - this.#head);
    try {
      await this.#file.write(entry.subarray(0, first), logOffset + this.#head);
      if (first < length) await this.#file.write(entry.subarray(first), logOffset);
      // The header may name a log only once it holds an entry: a log without any is a damaged file.
      if (isFirst) {
        await this.#file.sync();
        this.#header = await updateHeaders(this.#file, this.#header, { logGuid });
      }
    } catch (error) {
      this.#failed = error;
      throw error;
    }
    this.#sequence += 1n;
    this.#head = (this.#head + length) % logLength;
    this.#logged.bytes += length;
  }

  #tail(): number {
    if (this.#applied.bytes > 0) return this.#applied.start;
    return this.#logged.bytes > 0 ? this.#logged.start : this.#head;
  }

  /** Makes everything written to the file stable, data and metadata. */
  flush(): Promise<void> {
    return this.#order.run(() => this.#flushLog());
  }

  async #flushLog(): Promise<void> {
    if (this.#failed !== undefined) throw this.#failure();
    await this.#syncFile();
    const generation = this.#logged;
    try {
      await this.#applyInPlace(generation.sectors);
    } catch (error) {
      this.#failed = error;
      throw error;
    }
    this.#cache.touched();
    this.#applied = generation;
    this.#logged = emptyGeneration(this.#head);
  }

  async #syncFile(): Promise<void> {
    const size = this.#fileSize();
    await this.#file.sync();
    this.#flushedSize = size;
  }

  async #applyInPlace(sectors: ReadonlyMap<number, Buffer>): Promise<void> {
    for (const [offset, bytes] of sectors) await this.#file.write(bytes, offset);
  }

  /** Brings everything into its place and marks the log empty: a clean file. It may be written to afterwards. */
  close(): Promise<void> {
    return this.#order.run(() => this.#emptyLog());
  }

  /** {@link close}, and forgets what was read: places of the file may come to mean something else. */
  restart(): Promise<void> {
    return this.#order.run(async () => {
      await this.#emptyLog();
      this.#cache.clear();
    });
  }

  async #emptyLog(): Promise<void> {
    await this.#flushLog();
    if (this.#header.header.logGuid === ZERO_GUID) return;
    if (this.#applied.bytes > 0) await this.#flushLog();
    this.#header = await updateHeaders(this.#file, this.#header, { logGuid: ZERO_GUID });
  }

  #failure(): VhdError {
    return new VhdError(
      'VHD_READ_ONLY',
      `${this.#file.path}: an earlier write of metadata failed; open the disk again to recover it from its log.`,
      { path: this.#file.path, cause: this.#failed },
    );
  }
}

function emptyGeneration(start: number): Generation {
  return { sectors: new Map(), start, bytes: 0 };
}

/** Edits that put bytes at any place of the file, sector by sector. */
export function bytesEdits(offset: number, bytes: Buffer): SectorEdit[] {
  const edits: SectorEdit[] = [];
  for (let done = 0; done < bytes.length;) {
    const at = (offset + done) % LOG_SECTOR;
    const part = bytes.subarray(done, done + LOG_SECTOR - at);
    edits.push({ sectorOffset: offset + done - at, apply: (sector) => sector.set(part, at) });
    done += part.length;
  }
  return edits;
}
