/** Room for the head of a reply in front of its data. */
const HEAD_ROOM = 32;
/** Smallest and largest buffer that is kept: fresh memory for each large request costs more than moving the data. */
const MIN_SIZE = 4096;
const MAX_SIZE = 1024 * 1024 + HEAD_ROOM;
/** Bytes kept for later, all sizes together. */
const MAX_KEPT = 4 * 1024 * 1024;

/** Buffers for the data of requests, used again and again. Their content is whatever was in them before. */
export class BufferPool {
  readonly #free = new Map<number, Buffer[]>();
  #kept = 0;

  take(length: number): Buffer {
    if (length < MIN_SIZE || length > MAX_SIZE) return Buffer.allocUnsafe(length);
    const size = sizeClass(length);
    const buffer = this.#free.get(size)?.pop();
    if (buffer === undefined) return Buffer.allocUnsafeSlow(size).subarray(0, length);
    this.#kept -= size;
    return buffer.subarray(0, length);
  }

  /** The buffer, as `take` gave it, is used no more by anybody. */
  give(buffer: Buffer): void {
    const size = buffer.buffer.byteLength;
    if (buffer.length < MIN_SIZE || buffer.length > MAX_SIZE || this.#kept + size > MAX_KEPT) return;
    const free = this.#free.get(size) ?? [];
    this.#free.set(size, free);
    free.push(Buffer.from(buffer.buffer));
    this.#kept += size;
  }
}

function sizeClass(length: number): number {
  return 2 ** Math.ceil(Math.log2(length - HEAD_ROOM)) + HEAD_ROOM;
}
