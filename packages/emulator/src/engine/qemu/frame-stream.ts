/** The largest frame that QEMU sends over a stream (net/net.c, NET_BUFSIZE: 4096 + 65536). */
export const MAX_FRAME = 69_632;
const PREFIX = 4;

/** Cuts a byte stream into Ethernet frames: 4 bytes of length, big endian, then the frame (QEMU, `-netdev stream`). */
export class FrameDecoder {
  #rest: Buffer = Buffer.alloc(0);

  /** @throws RangeError when the stream is none of frames: it is then of no use any more. */
  *push(chunk: Buffer): Iterable<Buffer> {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (bytes.length >= PREFIX) {
      const length = bytes.readUInt32BE(0);
      if (length > MAX_FRAME) throw new RangeError(`A frame of ${length} bytes.`);
      if (bytes.length < PREFIX + length) break;
      yield bytes.subarray(PREFIX, PREFIX + length);
      bytes = bytes.subarray(PREFIX + length);
    }
    // A copy, so that a large chunk is not kept for its last bytes.
    this.#rest = Buffer.from(bytes);
  }
}

export function encodeFrame(frame: Buffer): Buffer {
  const prefixed = Buffer.allocUnsafe(PREFIX + frame.length);
  prefixed.writeUInt32BE(frame.length, 0);
  frame.copy(prefixed, PREFIX);
  return prefixed;
}
