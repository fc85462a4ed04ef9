import { randomBytes } from 'node:crypto';
import { setImmediate, setTimeout as wait } from 'node:timers/promises';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readIpv4, writeIpv4 } from './frames.js';
import { TcpConnection } from './tcp-connection.js';
import { FLAG, readTcp, writeTcp } from './tcp-segment.js';
import type { TcpSegment } from './tcp-segment.js';

const MSS = 500;

/** A client of the plainest kind: in order, one segment at a time, everything again until it is acknowledged. */
class Client {
  readonly received: Buffer[] = [];
  readonly segments: TcpSegment[] = [];
  ended = false;
  reset = false;
  window = 4096;
  readonly #lose: () => boolean;
  readonly #outgoing: Buffer;
  #acknowledged = 0;
  #expected: number | undefined;
  #initial = 0xffff_fff0;
  readonly connection: TcpConnection;

  constructor(content: Buffer, lose: () => boolean = () => false) {
    this.#outgoing = content;
    this.#lose = lose;
    const first = { ...this.#segment(FLAG.syn), sequence: this.#initial, mss: MSS };
    this.connection = new TcpConnection({
      sourcePort: 80,
      destinationPort: 40_000,
      first,
      mss: 1460,
      retryMs: 3,
      send: (segment) => {
        if (!lose()) queueMicrotask(() => this.#take(segment));
      },
      onGone: () => undefined,
    });
  }

  get sent(): number {
    return this.#acknowledged;
  }

  #segment(flags: number, payload: Buffer = Buffer.alloc(0)): TcpSegment {
    return {
      sourcePort: 40_000,
      destinationPort: 80,
      sequence: (this.#initial + 1 + this.#acknowledged) >>> 0,
      acknowledgement: this.#expected ?? 0,
      flags,
      window: this.window,
      payload,
    };
  }

  /** Sends again what is not acknowledged. */
  poke(): void {
    if (this.#expected === undefined) this.#give({ ...this.#segment(FLAG.syn), sequence: this.#initial });
    else {
      const from = this.#outgoing.subarray(this.#acknowledged, this.#acknowledged + MSS);
      const isLast = this.#acknowledged + from.length === this.#outgoing.length;
      if (this.#acknowledged <= this.#outgoing.length)
        this.#give(this.#segment(FLAG.ack | (isLast ? FLAG.fin : 0), from));
      else this.#give(this.#segment(FLAG.ack));
    }
  }

  #give(segment: TcpSegment): void {
    if (!this.#lose()) this.connection.receive(segment);
  }

  #take(segment: TcpSegment): void {
    this.segments.push(segment);
    if ((segment.flags & FLAG.rst) !== 0) {
      this.reset = true;
      return;
    }
    if ((segment.flags & FLAG.syn) !== 0) this.#expected ??= (segment.sequence + 1) >>> 0;
    else {
      const told = (segment.acknowledgement - this.#initial - 1) >>> 0;
      this.#acknowledged = Math.max(this.#acknowledged, told);
    }
    if (segment.sequence === this.#expected && (segment.flags & FLAG.syn) === 0 && !this.ended) {
      this.received.push(Buffer.from(segment.payload));
      this.#expected = (this.#expected + segment.payload.length) >>> 0;
      if ((segment.flags & FLAG.fin) !== 0) {
        this.ended = true;
        this.#expected = (this.#expected + 1) >>> 0;
      }
    }
    if (segment.payload.length > 0 || (segment.flags & (FLAG.syn | FLAG.fin)) !== 0) {
      this.#give(this.#segment(FLAG.ack));
    }
  }
}

/** Runs a connection whose server answers with `answer` once it has read everything. */
async function exchange(content: Buffer, answer: Buffer, lose?: () => boolean) {
  const client = new Client(content, lose);
  const { connection } = client;
  const read: Buffer[] = [];
  connection.on('data', (chunk: Buffer) => read.push(chunk));
  connection.on('end', () => connection.end(answer));
  const deadline = Date.now() + 15_000;
  while (!client.ended && Date.now() < deadline) {
    client.poke();
    await wait(1);
  }
  return { client, read: Buffer.concat(read), received: Buffer.concat(client.received) };
}

describe('a TCP connection', () => {
  it('carries bytes both ways, and ends in order', async () => {
    const [content, answer] = [randomBytes(20_000), randomBytes(150_000)];
    const { client, read, received } = await exchange(content, answer);
    expect(read.equals(content)).toBe(true);
    expect(received.equals(answer)).toBe(true);
    expect(client.reset).toBe(false);
    // Never more at once than the peer takes.
    expect(client.segments.every(({ payload }) => payload.length <= MSS)).toBe(true);
  });

  it('carries them over a wire that loses one in ten', async () => {
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.nat({ max: 9 })), async (fates) => {
        const [content, answer] = [randomBytes(3000), randomBytes(5000)];
        const { read, received } = await exchange(content, answer, () => fates.next().value === 0);
        expect(read.equals(content)).toBe(true);
        expect(received.equals(answer)).toBe(true);
      }),
      { numRuns: 5 },
    );
  });

  it('waits for a peer that takes nothing, and for a reader of its own', async () => {
    const client = new Client(Buffer.alloc(200_000, 'x'));
    client.window = 0;
    let wrote = false;
    client.connection.write(Buffer.alloc(100_000), () => (wrote = true));
    for (let round = 0; round < 150; round += 1) {
      client.poke();
      await setImmediate();
    }
    expect(wrote).toBe(false);
    // Nobody reads: no more is taken than the window.
    expect(client.sent).toBeGreaterThan(10_000);
    expect(client.sent).toBeLessThanOrEqual(40_000);
    client.connection.destroy();
    await wait(1);
    expect(client.reset).toBe(true);
  });

  it('believes a reset in its place alone', async () => {
    const client = new Client(Buffer.from('hello'));
    client.poke();
    await wait(1);
    const forged = { ...client.segments[0]!, flags: FLAG.rst, payload: Buffer.alloc(0) };
    client.connection.receive({ ...forged, sequence: 12_345 });
    expect(client.connection.destroyed).toBe(false);
    client.connection.receive({ ...forged, sequence: client.segments.at(-1)!.acknowledgement });
    expect(client.connection.destroyed).toBe(true);
  });
});

describe('a TCP segment', () => {
  it('is read as it was written, and not when it is damaged', () => {
    const segment = {
      sourcePort: 40_000,
      destinationPort: 80,
      sequence: 0xffff_ffff,
      acknowledgement: 7,
      flags: FLAG.syn,
      window: 1000,
      payload: Buffer.from('odd'),
    };
    const payload = writeTcp('10.0.0.5', '169.254.169.254', segment, 1400);
    const packet = writeIpv4({ source: '10.0.0.5', destination: '169.254.169.254', protocol: 6, payload });
    const read = readIpv4(packet);
    expect(read && readTcp(read)).toEqual({ ...segment, mss: 1400 });
    const damaged = Buffer.from(packet);
    damaged[packet.length - 1]! ^= 1;
    const other = readIpv4(damaged);
    expect(other && readTcp(other)).toBeUndefined();
  });
});
