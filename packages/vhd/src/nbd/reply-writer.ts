import type { Extent } from '../disk.js';
import type { ByteStream } from './byte-stream.js';
import {
  AllocationFlag,
  BASE_ALLOCATION_ID,
  ReplyFlag,
  ReplyType,
  SIMPLE_REPLY_MAGIC,
  STRUCTURED_REPLY_MAGIC,
} from './protocol.js';

/** Writes replies in the form that was negotiated. `cookie` is the request's, given back. */
export class ReplyWriter {
  readonly #stream: ByteStream;
  readonly #structured: boolean;

  constructor(stream: ByteStream, structured: boolean) {
    this.#stream = stream;
    this.#structured = structured;
  }

  done(cookie: bigint): Promise<void> {
    if (!this.#structured) return this.#stream.write(simpleHead(cookie, 0));
    return this.#stream.write(chunkHead(cookie, ReplyType.none, 0, 0));
  }

  error(cookie: bigint, error: number, message: string): Promise<void> {
    if (!this.#structured) return this.#stream.write(simpleHead(cookie, error));
    const text = Buffer.from(message, 'utf8').subarray(0, 512);
    const head = chunkHead(cookie, ReplyType.error, 6 + text.length, 6);
    head.writeUInt32BE(error, 20);
    head.writeUInt16BE(text.length, 24);
    return this.#stream.write(head, text);
  }

  data(cookie: bigint, offset: number, bytes: Uint8Array): Promise<void> {
    if (!this.#structured) return this.#stream.write(simpleHead(cookie, 0), bytes);
    const head = chunkHead(cookie, ReplyType.offsetData, 8 + bytes.length, 8);
    head.writeBigUInt64BE(BigInt(offset), 20);
    return this.#stream.write(head, bytes);
  }

  /** Extents hold data or zeros only. */
  blockStatus(cookie: bigint, extents: readonly Extent[]): Promise<void> {
    const length = 4 + extents.length * 8;
    const head = chunkHead(cookie, ReplyType.blockStatus, length, length);
    head.writeUInt32BE(BASE_ALLOCATION_ID, 20);
    extents.forEach((extent, index) => {
      head.writeUInt32BE(extent.length, 24 + index * 8);
      const flags = extent.state === 'zero' ? AllocationFlag.hole | AllocationFlag.zero : 0;
      head.writeUInt32BE(flags, 28 + index * 8);
    });
    return this.#stream.write(head);
  }
}

function simpleHead(cookie: bigint, error: number): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt32BE(SIMPLE_REPLY_MAGIC, 0);
  head.writeUInt32BE(error, 4);
  head.writeBigUInt64BE(cookie, 8);
  return head;
}

/** A reply's only chunk: its head and room for `extra` bytes of the `length` that follow. */
function chunkHead(cookie: bigint, type: number, length: number, extra: number): Buffer {
  const head = Buffer.alloc(20 + extra);
  head.writeUInt32BE(STRUCTURED_REPLY_MAGIC, 0);
  head.writeUInt16BE(ReplyFlag.done, 4);
  head.writeUInt16BE(type, 6);
  head.writeBigUInt64BE(cookie, 8);
  head.writeUInt32BE(length, 16);
  return head;
}
