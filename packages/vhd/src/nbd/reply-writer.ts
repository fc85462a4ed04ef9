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

const SIMPLE_HEAD_SIZE = 16;
const CHUNK_HEAD_SIZE = 20;

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

  /** Bytes in front of the data of a reply that carries some. */
  get dataHeadSize(): number {
    return this.#structured ? CHUNK_HEAD_SIZE + 8 : SIMPLE_HEAD_SIZE;
  }

  /** Sends data that lie in `frame` behind {@link dataHeadSize} bytes, which are filled here. */
  data(cookie: bigint, offset: number, frame: Buffer): Promise<void> {
    if (this.#structured) {
      fillChunkHead(frame, cookie, ReplyType.offsetData, frame.length - CHUNK_HEAD_SIZE);
      frame.writeBigUInt64BE(BigInt(offset), CHUNK_HEAD_SIZE);
    } else fillSimpleHead(frame, cookie, 0);
    return this.#stream.write(frame);
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
  const head = Buffer.allocUnsafe(SIMPLE_HEAD_SIZE);
  fillSimpleHead(head, cookie, error);
  return head;
}

function fillSimpleHead(head: Buffer, cookie: bigint, error: number): void {
  head.writeUInt32BE(SIMPLE_REPLY_MAGIC, 0);
  head.writeUInt32BE(error, 4);
  head.writeBigUInt64BE(cookie, 8);
}

/** A reply's only chunk: its head and room for `extra` bytes of the `length` that follow. */
function chunkHead(cookie: bigint, type: number, length: number, extra: number): Buffer {
  const head = Buffer.alloc(CHUNK_HEAD_SIZE + extra);
  fillChunkHead(head, cookie, type, length);
  return head;
}

function fillChunkHead(head: Buffer, cookie: bigint, type: number, length: number): void {
  head.writeUInt32BE(STRUCTURED_REPLY_MAGIC, 0);
  head.writeUInt16BE(ReplyFlag.done, 4);
  head.writeUInt16BE(type, 6);
  head.writeBigUInt64BE(cookie, 8);
  head.writeUInt32BE(length, 16);
}
