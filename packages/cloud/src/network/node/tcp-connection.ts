import { randomBytes } from 'node:crypto';
import { Duplex } from 'node:stream';
import { FLAG } from './tcp-segment.js';
import type { TcpSegment } from './tcp-segment.js';

/** What a peer is told that it may send before it is answered, bytes. */
const WINDOW = 32_768;
/** What waits to be sent or acknowledged, bytes; more makes the writer wait. */
const SEND_BUFFER = 65_536;
const FIRST_RETRY_MS = 300;
const LAST_RETRY_MS = 5_000;
const MOST_RETRIES = 8;
/** How long an ended connection still answers a peer that has not heard the last word. */
const LINGER_MS = 2_000;
const IDLE_MS = 60_000;
/** Acknowledgements of the same byte after which what follows it is taken for lost. Source: RFC 5681, 3.2. */
const DUPLICATES = 3;

export interface TcpConnectionOptions {
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Of the peer's first segment. */
  readonly first: TcpSegment & { readonly mss: number };
  /** Bytes of one segment's content at most. */
  readonly mss: number;
  readonly send: (segment: TcpSegment, mss?: number) => void;
  /** First wait for an acknowledgement; default 300. */
  readonly retryMs?: number;
  /** Once, when nothing more is to be said. */
  readonly onGone: () => void;
}

/** `a - b` of sequence numbers, which begin again at 2^32. */
const distance = (a: number, b: number): number => (a - b) | 0;
const plus = (sequence: number, bytes: number): number => (sequence + bytes) >>> 0;

/**
 * The server's end of one TCP connection, as a stream. In order only: what comes early is sent again by the peer. Source: RFC 9293; without
 * window scaling, selective acknowledgements and congestion control, for the wire is a switch beside us.
 */
export class TcpConnection extends Duplex {
  readonly #options: TcpConnectionOptions;
  readonly #mss: number;
  /** Next byte that we expect. */
  #expected: number;
  /** First byte of ours that is not acknowledged, and the next to be sent. */
  #unacknowledged: number;
  #next: number;
  #peerWindow: number;
  /** From `#unacknowledged` on, the first SYN and the FIN not counted. */
  #outgoing: Buffer = Buffer.alloc(0);
  #waiting: (() => void) | undefined;
  #established = false;
  #finWanted = false;
  #finSent = false;
  #finAcknowledged = false;
  #peerEnded = false;
  #advertised = WINDOW;
  #retries = 0;
  #duplicates = 0;
  #retryTimer: NodeJS.Timeout | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #gone = false;

  constructor(options: TcpConnectionOptions) {
    super({ allowHalfOpen: true });
    this.#options = options;
    this.#mss = Math.min(options.mss, Math.max(options.first.mss, 64));
    this.#expected = plus(options.first.sequence, 1);
    this.#unacknowledged = randomBytes(4).readUInt32BE();
    this.#next = plus(this.#unacknowledged, 1);
    this.#peerWindow = options.first.window;
    // Whoever uses the stream hears of its end by `close`.
    this.on('error', () => undefined);
    this.#touch();
    this.#sendSyn();
    this.#schedule();
  }

  get isEstablished(): boolean {
    return this.#established;
  }

  /** Takes a segment of this connection's peer. */
  receive(segment: TcpSegment): void {
    if (this.#gone) return;
    const { flags, sequence } = segment;
    if ((flags & FLAG.rst) !== 0) {
      // Only in its place: others could be anybody's. Source: RFC 5961, 3.2.
      if (sequence === this.#expected) this.#vanish(new Error('The peer has given up the connection.'));
      return;
    }
    this.#touch();
    if ((flags & FLAG.syn) !== 0) {
      if (this.#established) this.#acknowledge();
      else this.#sendSyn();
      return;
    }
    if ((flags & FLAG.ack) === 0) return;
    if (!this.#takeAcknowledgement(segment)) return;
    this.#takeContent(segment);
    this.#transmit();
    this.#endWhenDone();
  }

  /** False when the segment answers what was never said. */
  #takeAcknowledgement({ acknowledgement, window, payload }: TcpSegment): boolean {
    if (distance(acknowledgement, this.#next) > 0) {
      this.#acknowledge();
      return false;
    }
    let fresh = distance(acknowledgement, this.#unacknowledged);
    if (!this.#established) {
      if (fresh < 1) return false;
      this.#establish();
      fresh -= 1;
    }
    const before = this.#peerWindow;
    if (fresh >= 0) this.#peerWindow = window;
    if (fresh > 0) this.#forget(fresh);
    else if (fresh === 0 && payload.length === 0 && window === before) this.#countDuplicate();
    return true;
  }

  #establish(): void {
    this.#established = true;
    this.#unacknowledged = plus(this.#unacknowledged, 1);
    this.#stopRetrying();
  }

  #stopRetrying(): void {
    this.#retries = 0;
    this.#duplicates = 0;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
  }

  #forget(bytes: number): void {
    const content = Math.min(bytes, this.#outgoing.length);
    this.#outgoing = this.#outgoing.subarray(content);
    this.#unacknowledged = plus(this.#unacknowledged, bytes);
    if (bytes > content) this.#finAcknowledged = true;
    this.#stopRetrying();
    this.#schedule();
    if (this.#outgoing.length < SEND_BUFFER) this.#goOn();
  }

  #countDuplicate(): void {
    if (this.#unacknowledged === this.#next) return;
    this.#duplicates += 1;
    if (this.#duplicates === DUPLICATES) this.#repeat();
  }

  #takeContent({ sequence, payload, flags }: TcpSegment): void {
    const hasFin = (flags & FLAG.fin) !== 0;
    if (payload.length === 0 && !hasFin) return;
    const old = distance(this.#expected, sequence);
    const end = plus(sequence, payload.length);
    if (old < 0 || this.#peerEnded) {
      this.#acknowledge();
      return;
    }
    const fresh = payload.subarray(Math.min(old, payload.length));
    if (fresh.length > this.#window()) {
      this.#acknowledge();
      return;
    }
    if (fresh.length > 0) {
      this.#expected = plus(this.#expected, fresh.length);
      // A copy: the frame's memory is its sender's.
      this.push(Buffer.from(fresh));
    }
    if (hasFin && end === this.#expected) {
      this.#expected = plus(this.#expected, 1);
      this.#peerEnded = true;
      this.push(null);
    }
    this.#acknowledge();
  }

  override _read(): void {
    const opens = this.#advertised < this.#mss && this.#window() >= this.#mss;
    if (opens && this.#established && !this.#gone) this.#acknowledge();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#outgoing = Buffer.concat([this.#outgoing, chunk]);
    if (this.#outgoing.length < SEND_BUFFER) done();
    else this.#waiting = () => done();
    this.#transmit();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#finWanted = true;
    this.#transmit();
    done();
    this.#endWhenDone();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#gone) {
      // Ended in order on both sides, it waits for what is still to be acknowledged.
      if (!(this.#finWanted && this.#peerEnded)) {
        this.#say(FLAG.rst | FLAG.ack);
        this.#leave();
      }
    }
    this.#goOn();
    done(error);
  }

  #goOn(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
  }

  /** Sends what the peer's window takes. */
  #transmit(): void {
    if (!this.#established || this.#gone) return;
    for (;;) {
      const sent = distance(this.#next, this.#unacknowledged) - (this.#finSent ? 1 : 0);
      const left = this.#outgoing.length - sent;
      const room = this.#peerWindow - sent;
      const length = Math.min(this.#mss, left, room);
      if (length <= 0) break;
      const payload = this.#outgoing.subarray(sent, sent + length);
      this.#say(FLAG.ack | (length === left ? FLAG.psh : 0), payload);
      this.#next = plus(this.#next, length);
    }
    const everything = distance(this.#next, this.#unacknowledged) >= this.#outgoing.length;
    if (this.#finWanted && !this.#finSent && everything) {
      this.#say(FLAG.fin | FLAG.ack);
      this.#next = plus(this.#next, 1);
      this.#finSent = true;
    }
    this.#schedule();
  }

  /** Begins again at what is not acknowledged. */
  #repeat(): void {
    if (!this.#established) {
      this.#sendSyn();
      return;
    }
    this.#next = this.#unacknowledged;
    this.#finSent = false;
    // A closed window is asked for by one byte. Source: RFC 9293, 3.8.6.1.
    if (this.#peerWindow === 0 && this.#outgoing.length > 0) {
      this.#say(FLAG.ack, this.#outgoing.subarray(0, 1));
      this.#next = plus(this.#next, 1);
      return;
    }
    this.#transmit();
  }

  #schedule(): void {
    const nothing = this.#next === this.#unacknowledged && this.#outgoing.length === 0;
    if (this.#retryTimer !== undefined || nothing || this.#gone || this.#finAcknowledged) return;
    const delay = Math.min((this.#options.retryMs ?? FIRST_RETRY_MS) * 2 ** this.#retries, LAST_RETRY_MS);
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = undefined;
      this.#retries += 1;
      if (this.#retries > MOST_RETRIES) {
        this.#vanish(new Error('The peer does not answer.'));
        return;
      }
      this.#repeat();
      this.#schedule();
    }, delay);
    this.#retryTimer.unref();
  }

  #sendSyn(): void {
    this.#options.send(
      {
        ...this.#segment(FLAG.syn | FLAG.ack, Buffer.alloc(0)),
        sequence: this.#unacknowledged,
      },
      this.#options.mss,
    );
  }

  #acknowledge(): void {
    this.#say(FLAG.ack);
  }

  #say(flags: number, payload: Buffer = Buffer.alloc(0)): void {
    this.#options.send(this.#segment(flags, payload));
  }

  #segment(flags: number, payload: Buffer): TcpSegment {
    const { sourcePort, destinationPort } = this.#options;
    return {
      sourcePort,
      destinationPort,
      sequence: this.#next,
      acknowledgement: this.#expected,
      flags,
      window: (this.#advertised = this.#window()),
      payload,
    };
  }

  #window(): number {
    return Math.max(0, WINDOW - this.readableLength);
  }

  #touch(): void {
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => {
      if (this.destroyed) this.#leave();
      else this.destroy();
    }, IDLE_MS);
    this.#idleTimer.unref();
  }

  #endWhenDone(): void {
    if (this.#peerEnded && this.#finAcknowledged) this.#linger();
  }

  #linger(): void {
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => this.#leave(), LINGER_MS);
    this.#idleTimer.unref();
  }

  #vanish(error: Error): void {
    this.#leave();
    this.destroy(error);
  }

  #leave(): void {
    if (this.#gone) return;
    this.#gone = true;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#idleTimer);
    this.#options.onGone();
  }
}
