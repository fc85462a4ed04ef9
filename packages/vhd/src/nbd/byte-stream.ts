import type { Socket } from 'node:net';

/** Reading from the socket stops when so much lies unread. Bytes. */
const HIGH_WATER = 1024 * 1024;
/** Pieces up to this size are joined before they are sent. Bytes. */
const SMALL = 8 * 1024;

/** The other side closed the connection, or it was closed here. */
export class StreamEnded extends Error {
  constructor() {
    super('The connection was closed.');
    this.name = 'StreamEnded';
  }
}

interface Wanted {
  readonly target: Buffer;
  filled: number;
  resolve(bytes: Buffer): void;
  reject(error: Error): void;
}

interface Leaving {
  readonly pieces: readonly Uint8Array[];
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Exact reads and bounded writes on a socket. Bytes wanted are copied to their target as they come, and nothing more
 * than {@link HIGH_WATER} is held besides.
 */
export class ByteStream {
  readonly #socket: Socket;
  #chunks: Buffer[] = [];
  #held = 0;
  #wanted: Wanted | undefined;
  #ended = false;
  /** Written in this turn of the event loop. */
  #leaving: Leaving[] = [];
  readonly closed: Promise<void>;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    // An error is always followed by 'close', which ends the waits.
    socket.on('error', () => undefined);
    socket.on('end', () => this.#end());
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#end();
        resolve();
      });
    });
  }

  /** Exactly `length` bytes; may share memory with what was received. One read at a time. @throws StreamEnded */
  read(length: number): Promise<Buffer> {
    return Promise.resolve(this.tryRead(length) ?? this.readInto(Buffer.allocUnsafe(length)));
  }

  /** {@link read} when the bytes are there already and lie together. */
  tryRead(length: number): Buffer | undefined {
    const [chunk] = this.#chunks;
    if (chunk === undefined || chunk.length < length) return undefined;
    this.#held -= length;
    if (chunk.length === length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(length);
    this.#resume();
    return chunk.subarray(0, length);
  }

  /** Fills `target`. */
  readInto(target: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const wanted: Wanted = { target, filled: 0, resolve, reject };
      while (wanted.filled < target.length && this.#chunks.length > 0) this.#moveChunk(wanted);
      this.#resume();
      if (wanted.filled === target.length) resolve(target);
      else if (this.#ended) reject(new StreamEnded());
      else this.#wanted = wanted;
    });
  }

  #resume(): void {
    if (this.#held < HIGH_WATER && this.#socket.isPaused()) this.#socket.resume();
  }

  #moveChunk(wanted: Wanted): void {
    const [chunk] = this.#chunks;
    if (chunk === undefined) return;
    const count = Math.min(chunk.length, wanted.target.length - wanted.filled);
    chunk.copy(wanted.target, wanted.filled, 0, count);
    wanted.filled += count;
    this.#held -= count;
    if (count === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(count);
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    const wanted = this.#wanted;
    if (wanted !== undefined) {
      while (wanted.filled < wanted.target.length && this.#chunks.length > 0) this.#moveChunk(wanted);
      if (wanted.filled < wanted.target.length) return;
      this.#wanted = undefined;
      wanted.resolve(wanted.target);
    }
    if (this.#held >= HIGH_WATER) this.#socket.pause();
  }

  #end(): void {
    this.#ended = true;
    const wanted = this.#wanted;
    this.#wanted = undefined;
    wanted?.reject(new StreamEnded());
  }

  /**
   * Settles when the bytes have left this process, which is the back-pressure. Pieces of one call stay together, and
   * what is written in one turn of the event loop leaves in one system call.
   */
  write(...pieces: readonly Uint8Array[]): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) {
        reject(new StreamEnded());
        return;
      }
      if (this.#leaving.length === 0) setImmediate(() => this.#send());
      this.#leaving.push({ pieces, resolve, reject });
    });
  }

  #send(): void {
    const batch = this.#leaving;
    if (batch.length === 0) return;
    this.#leaving = [];
    const sent = (error: Error | null | undefined): void => {
      for (const { resolve, reject } of batch) {
        if (error === null || error === undefined) resolve();
        else reject(new StreamEnded());
      }
    };
    const pieces = joinSmall(batch.flatMap((each) => each.pieces));
    this.#socket.cork();
    pieces.forEach((piece, index) => {
      if (index < pieces.length - 1) this.#socket.write(piece);
      else this.#socket.write(piece, sent);
    });
    this.#socket.uncork();
  }

  /** Sends what was written, then closes, whether the other side does or not. */
  end(): void {
    this.#send();
    this.#socket.end(() => this.#socket.destroy());
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** Puts neighbours that are small into one array: copying them costs less than handing each to the socket. */
function joinSmall(pieces: readonly Uint8Array[]): readonly Uint8Array[] {
  const joined: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  for (const piece of pieces) {
    if (piece.length <= SMALL) small.push(piece);
    else {
      if (small.length > 0) joined.push(Buffer.concat(small));
      small = [];
      joined.push(piece);
    }
  }
  if (small.length > 0) joined.push(Buffer.concat(small));
  return joined;
}
