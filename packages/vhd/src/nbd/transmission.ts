import type { Disk, Extent } from '../disk.js';
import { VhdError } from '../errors.js';
import { flattenedExtents } from '../segments.js';
import { BufferPool } from './buffer-pool.js';
import type { ByteStream } from './byte-stream.js';
import { StreamEnded } from './byte-stream.js';
import type { Session } from './handshake.js';
import { Command, CommandFlag, MAX_REQUEST_LENGTH, NbdError, REQUEST_MAGIC } from './protocol.js';
import { ReplyWriter } from './reply-writer.js';

/**
 * Bytes of requests and replies that one connection may have under way; the next request waits. More makes it slower:
 * the buffers fall out of the processor's caches and are allocated anew. One request alone may be larger.
 */
const MAX_IN_FLIGHT = 4 * 1024 * 1024;
/** What a request counts for besides its data, so that their number is bounded too. */
const REQUEST_COST = 16 * 1024;
/** Extents told in one answer; the client asks again for the rest. */
const MAX_EXTENTS = 4096;
/** Bytes whose status one answer tells at most, and those looked up at a time. */
const MAX_STATUS_RANGE = 1024 * 1024 * 1024;
const STATUS_WINDOW = 32 * 1024 * 1024;
/** `NBD_CMD_CACHE` reads in pieces of this size. */
const CACHE_PIECE = 1024 * 1024;

const KNOWN: ReadonlySet<number> = new Set(Object.values(Command));
const CHANGING: ReadonlySet<number> = new Set([Command.write, Command.trim, Command.writeZeroes]);

/** Bytes of a request's head. */
const REQUEST_SIZE = 28;

interface Request {
  readonly flags: number;
  readonly command: number;
  readonly cookie: bigint;
  readonly offset: number;
  readonly length: number;
}

/** Serves the requests of one connection, many at a time, until the client disconnects. */
export class Transmission {
  readonly #stream: ByteStream;
  readonly #session: Session;
  readonly #disk: Disk;
  readonly #reply: ReplyWriter;
  readonly #pool = new BufferPool();
  /** Requests under way, and the bytes that they count for. */
  #running = 0;
  #inFlight = 0;
  /** Waits for one of them to end. */
  #wake: (() => void) | undefined;

  constructor(stream: ByteStream, session: Session) {
    this.#stream = stream;
    this.#session = session;
    this.#disk = session.export.disk;
    this.#reply = new ReplyWriter(stream, session.structuredReplies);
  }

  /** Settles when the client is gone and nothing of its requests runs any more. */
  async run(): Promise<void> {
    try {
      for (;;) {
        const request = parseRequest(
          this.#stream.tryRead(REQUEST_SIZE) ?? (await this.#stream.read(REQUEST_SIZE)),
        );
        if (request === undefined || request.command === Command.disconnect) break;
        if (!(await this.#accept(request))) break;
      }
    } catch (error) {
      if (!(error instanceof StreamEnded)) throw error;
    } finally {
      while (this.#running > 0) await this.#oneEnds();
    }
  }

  /** Waits for room, takes the request's data off the stream and starts it. false = the stream cannot be followed. */
  async #accept(request: Request): Promise<boolean> {
    const isWrite = request.command === Command.write;
    // Data of a write that is too long would have to be read to find the next request.
    if (isWrite && request.length > MAX_REQUEST_LENGTH) return false;
    const moves = isWrite || request.command === Command.read;
    const cost = REQUEST_COST + (moves ? Math.min(request.length, MAX_REQUEST_LENGTH) : 0);
    while (this.#inFlight > 0 && this.#inFlight + cost > MAX_IN_FLIGHT) {
      await this.#oneEnds();
    }
    this.#inFlight += cost;
    // Small data are used where they were received; large ones come in several parts, which are put together.
    const received = isWrite ? this.#stream.tryRead(request.length) : undefined;
    const pooled = isWrite && received === undefined ? this.#pool.take(request.length) : undefined;
    if (pooled !== undefined) await this.#stream.readInto(pooled);
    this.#running += 1;
    void this.#serve(request, received ?? pooled).then(() => {
      if (pooled !== undefined) this.#pool.give(pooled);
      this.#running -= 1;
      this.#inFlight -= cost;
      this.#wake?.();
    });
    return true;
  }

  #oneEnds(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Never fails. */
  async #serve(request: Request, data: Buffer | undefined): Promise<void> {
    try {
      const refusal = this.#refusal(request);
      if (refusal === undefined) await this.#execute(request, data);
      else await this.#reply.error(request.cookie, refusal.error, refusal.message);
    } catch (error) {
      if (error instanceof StreamEnded) return;
      await this.#reply.error(request.cookie, errorNumber(error), messageOf(error)).catch(() => undefined);
    }
  }

  #refusal({ command, flags, offset, length }: Request): { error: number; message: string } | undefined {
    const { export: served } = this.#session;
    // As it is now: the disk may have been resized since the client was told.
    const size = this.#disk.virtualSize;
    if (served.readOnly && CHANGING.has(command)) {
      return { error: NbdError.permission, message: 'The export is read-only.' };
    }
    if (command === Command.flush) return undefined;
    if (!KNOWN.has(command)) {
      return { error: NbdError.invalid, message: `Command ${command} is not known.` };
    }
    if (command === Command.blockStatus && (!this.#session.allocationContext || length === 0)) {
      return { error: NbdError.invalid, message: 'Block status was not negotiated, or of no bytes.' };
    }
    if (command === Command.read && length > MAX_REQUEST_LENGTH) {
      return { error: NbdError.invalid, message: `More than ${MAX_REQUEST_LENGTH} bytes in one request.` };
    }
    if (command === Command.writeZeroes && (flags & CommandFlag.fastZero) !== 0) {
      return { error: NbdError.unsupported, message: 'Fast zeroing is not offered.' };
    }
    if (offset + length > size) {
      const error =
        command === Command.write || command === Command.writeZeroes ? NbdError.noSpace : NbdError.invalid;
      return { error, message: `The range ends behind the disk's ${size} bytes.` };
    }
    return undefined;
  }

  async #execute(request: Request, data: Buffer | undefined): Promise<void> {
    const { command, cookie, offset, length, flags } = request;
    switch (command) {
      case Command.read: {
        const head = this.#reply.dataHeadSize;
        const frame = this.#pool.take(head + length);
        await this.#disk.read(frame.subarray(head), offset);
        await this.#reply.data(cookie, offset, frame);
        this.#pool.give(frame);
        return;
      }
      case Command.blockStatus:
        return this.#blockStatus(request);
      case Command.write:
        if (data !== undefined) await this.#disk.write(data, offset);
        break;
      case Command.writeZeroes:
        await this.#disk.writeZeroes(offset, length);
        break;
      case Command.trim:
        await this.#disk.discard(offset, length);
        break;
      case Command.cache:
        await this.#warm(offset, length);
        break;
      default:
        await this.#disk.flush();
    }
    if ((flags & CommandFlag.fua) !== 0 && command !== Command.flush) await this.#disk.flush();
    return this.#reply.done(cookie);
  }

  async #blockStatus({ cookie, offset, length, flags }: Request): Promise<void> {
    const limit = (flags & CommandFlag.reqOne) !== 0 ? 1 : MAX_EXTENTS;
    const extents: Extent[] = [];
    // Large ranges are answered in part, as the protocol allows: time and memory of a look-up stay bounded.
    const asked = Math.min(length, MAX_STATUS_RANGE);
    for (let done = 0; done < asked && extents.length < limit; done += STATUS_WINDOW) {
      const window = Math.min(STATUS_WINDOW, asked - done);
      for (const extent of await flattenedExtents(this.#disk, offset + done, window)) {
        const last = extents.at(-1);
        if (last?.state === extent.state)
          extents[extents.length - 1] = { ...last, length: last.length + extent.length };
        else extents.push(extent);
      }
    }
    return this.#reply.blockStatus(cookie, extents.slice(0, limit));
  }

  /** Reads, so that the file's pages are in memory; the bytes are dropped. */
  async #warm(offset: number, length: number): Promise<void> {
    const piece = Buffer.allocUnsafe(Math.min(length, CACHE_PIECE));
    for (let done = 0; done < length; done += piece.length) {
      await this.#disk.read(piece.subarray(0, Math.min(piece.length, length - done)), offset + done);
    }
  }
}

function parseRequest(head: Buffer): Request | undefined {
  if (head.readUInt32BE(0) !== REQUEST_MAGIC) return undefined;
  const offset = head.readBigUInt64BE(16);
  return {
    flags: head.readUInt16BE(4),
    command: head.readUInt16BE(6),
    cookie: head.readBigUInt64BE(8),
    // An offset past 2^53 is behind the end of every disk; it is refused like any other.
    offset: offset > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(offset),
    length: head.readUInt32BE(24),
  };
}

function errorNumber(error: unknown): number {
  if (error instanceof VhdError) {
    if (error.code === 'VHD_READ_ONLY') return NbdError.permission;
    if (error.code === 'VHD_OUT_OF_RANGE' || error.code === 'VHD_INVALID_ARGUMENT') return NbdError.invalid;
    return NbdError.io;
  }
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOSPC' || code === 'EDQUOT' ? NbdError.noSpace : NbdError.io;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'The disk failed.';
}
