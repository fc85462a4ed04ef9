import { ZERO_GUID } from '../bytes/guid.js';
import { GIB, MIB, TIB } from '../bytes/integers.js';
import { VhdError } from '../errors.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import { corrupt, readExact } from '../io/random-access-file.js';
import type { CurrentHeader, VhdxHeader } from './header.js';
import { updateHeaders } from './header.js';
import type { LogChange, LogEntry } from './log-entry.js';
import { decodeLogEntry, LOG_SECTOR, peekLogEntry } from './log-entry.js';

/** Windows makes logs of 1 MiB and a few; a file that claims more than this is not read into memory. */
const MAX_LOG_LENGTH = 64 * MIB;
/** Overlapping entries made up to burn time are cut off here: so many times the log's length is checksummed. */
const MAX_CHECKSUM_PASSES = 8;
/** Largest range of zeros that metadata can mean (a BAT is 512 MiB at most). */
const MAX_ZERO_RANGE = GIB;
/** More than any VHDX of 64 TiB takes. */
const MAX_FILE_SIZE = 80 * TIB;
const ZEROS = new Uint8Array(MIB);

/** The log's content that must be brought into the file, oldest first. */
export interface ActiveLog {
  readonly entries: readonly LogEntry[];
  readonly flushedFileOffset: number;
  readonly lastFileOffset: number;
}

interface PlacedEntry {
  readonly entry: LogEntry;
  readonly length: number;
}

/**
 * Finds the active sequence (MS-VHDX 2.3.2, 2.3.3): of all runs of entries with rising sequence numbers in which the
 * newest names the oldest as its tail, the one with the newest entry.
 * @returns undefined when the header says that the log is empty.
 * @throws VhdError `VHD_CORRUPT` when it says that there is one, and none is whole.
 */
export async function findActiveLog(
  file: RandomAccessFile,
  header: VhdxHeader,
): Promise<ActiveLog | undefined> {
  if (header.logGuid === ZERO_GUID) return undefined;
  if (header.logLength > MAX_LOG_LENGTH) {
    throw new VhdError(
      'VHD_UNSUPPORTED',
      `${file.path}: a log of ${header.logLength} bytes is not replayed.`,
      {
        path: file.path,
        offset: header.logOffset,
      },
    );
  }
  const log = await readExact(file, header.logOffset, header.logLength, 'the log');
  const placed = collectEntries(log, header.logGuid, file.path, header.logOffset);
  const newestFirst = [...placed].toSorted(([, a], [, b]) =>
    a.entry.sequenceNumber < b.entry.sequenceNumber ? 1 : -1,
  );
  for (const [offset, head] of newestFirst) {
    const entries = sequenceTo(placed, offset, head, header.logLength);
    if (entries === undefined) continue;
    const { flushedFileOffset, lastFileOffset } = head.entry;
    checkFileOffsets(entries, head.entry, file.path, header.logOffset + offset);
    return { entries, flushedFileOffset, lastFileOffset };
  }
  throw corrupt(
    file.path,
    header.logOffset,
    'the header names a log, and the log holds no whole sequence of entries',
  );
}

function collectEntries(
  log: Buffer,
  logGuid: string,
  path: string,
  logOffset: number,
): Map<number, PlacedEntry> {
  const placed = new Map<number, PlacedEntry>();
  let budget = log.length * MAX_CHECKSUM_PASSES;
  for (let offset = 0; offset < log.length; offset += LOG_SECTOR) {
    const peek = peekLogEntry(log.subarray(offset, offset + LOG_SECTOR), log.length);
    if (peek === undefined || peek.logGuid !== logGuid) continue;
    budget -= peek.length;
    if (budget < 0) throw corrupt(path, logOffset + offset, 'the log is full of overlapping entries');
    const entry = decodeLogEntry(cutOut(log, offset, peek.length));
    if (entry !== undefined) placed.set(offset, { entry, length: peek.length });
  }
  return placed;
}

/** An entry may run over the end of the log and go on at its beginning. */
function cutOut(log: Buffer, offset: number, length: number): Buffer {
  const end = offset + length;
  if (end <= log.length) return log.subarray(offset, end);
  return Buffer.concat([log.subarray(offset), log.subarray(0, end - log.length)]);
}

function sequenceTo(
  placed: ReadonlyMap<number, PlacedEntry>,
  headOffset: number,
  head: PlacedEntry,
  logLength: number,
): readonly LogEntry[] | undefined {
  const entries: LogEntry[] = [];
  let offset = head.entry.tail;
  let used = 0;
  for (;;) {
    const next = placed.get(offset);
    const previous = entries.at(-1);
    if (next === undefined) return undefined;
    if (previous !== undefined && next.entry.sequenceNumber !== previous.sequenceNumber + 1n)
      return undefined;
    used += next.length;
    if (used > logLength) return undefined;
    entries.push(next.entry);
    if (offset === headOffset) return entries;
    offset = (offset + next.length) % logLength;
  }
}

function checkFileOffsets(entries: readonly LogEntry[], head: LogEntry, path: string, offset: number): void {
  const { flushedFileOffset, lastFileOffset } = head;
  if (flushedFileOffset > MAX_FILE_SIZE || lastFileOffset > MAX_FILE_SIZE) {
    throw corrupt(path, offset, 'a log entry claims a file larger than VHDX files can be');
  }
  for (const entry of entries) {
    for (const change of entry.changes) {
      const length = change.kind === 'zero' ? change.length : LOG_SECTOR;
      if (length > MAX_ZERO_RANGE || change.fileOffset + length > MAX_FILE_SIZE) {
        throw corrupt(path, offset, 'a log entry changes a place that cannot be in the file');
      }
    }
  }
}

/**
 * Brings the log's content into the file and marks the log empty. Doing it again after a crash midway is harmless.
 * @returns the header that is current afterwards.
 * @throws VhdError `VHD_CORRUPT` when the file is shorter than what was known to be stable.
 */
export async function replayLog(
  file: RandomAccessFile,
  current: CurrentHeader,
  log: ActiveLog,
): Promise<CurrentHeader> {
  const size = await checkedSize(file, current.header, log);
  if (size < log.lastFileOffset) await file.truncate(log.lastFileOffset);
  for (const entry of log.entries) {
    for (const change of entry.changes) await applyChange(file, change, log.lastFileOffset);
  }
  await file.sync();
  return updateHeaders(file, current, { logGuid: ZERO_GUID });
}

async function checkedSize(file: RandomAccessFile, header: VhdxHeader, log: ActiveLog): Promise<number> {
  const size = await file.size();
  if (size < log.flushedFileOffset) {
    throw corrupt(
      file.path,
      header.logOffset,
      `the file was cut: ${size} of at least ${log.flushedFileOffset} bytes`,
    );
  }
  return size;
}

async function applyChange(file: RandomAccessFile, change: LogChange, fileEnd: number): Promise<void> {
  if (change.kind === 'data') {
    await file.write(change.bytes, change.fileOffset);
    return;
  }
  const end = Math.min(change.fileOffset + change.length, Math.max(fileEnd, await file.size()));
  for (let at = change.fileOffset; at < end; at += ZEROS.length) {
    await file.write(ZEROS.subarray(0, Math.min(ZEROS.length, end - at)), at);
  }
}

/**
 * A file as it would be after the replay, without changing it: what a look at a disk in use, or at one that a killed
 * process left, must see.
 */
export class ReplayedView implements RandomAccessFile {
  readonly path: string;
  readonly #file: RandomAccessFile;
  readonly #changes: readonly LogChange[];
  readonly #lastFileOffset: number;

  constructor(file: RandomAccessFile, log: ActiveLog) {
    this.path = file.path;
    this.#file = file;
    this.#changes = log.entries.flatMap((entry) => entry.changes);
    this.#lastFileOffset = log.lastFileOffset;
  }

  async read(target: Uint8Array, offset: number): Promise<number> {
    const size = await this.size();
    const length = Math.max(0, Math.min(target.length, size - offset));
    const got = await this.#file.read(target.subarray(0, length), offset);
    target.subarray(got, length).fill(0);
    for (const change of this.#changes) {
      const changeLength = change.kind === 'data' ? LOG_SECTOR : change.length;
      const from = Math.max(offset, change.fileOffset);
      const to = Math.min(offset + length, change.fileOffset + changeLength);
      if (from >= to) continue;
      const part = target.subarray(from - offset, to - offset);
      if (change.kind === 'zero') part.fill(0);
      else part.set(change.bytes.subarray(from - change.fileOffset, to - change.fileOffset));
    }
    return length;
  }

  async size(): Promise<number> {
    return Math.max(await this.#file.size(), this.#lastFileOffset);
  }

  write(): Promise<void> {
    return this.#refuse();
  }

  truncate(): Promise<void> {
    return this.#refuse();
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  #refuse(): Promise<void> {
    return Promise.reject(
      new VhdError('VHD_READ_ONLY', `${this.path} is only looked at.`, { path: this.path }),
    );
  }
}
