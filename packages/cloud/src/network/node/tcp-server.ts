import type { Guest } from './directory.js';
import { TcpConnection } from './tcp-connection.js';
import { FLAG } from './tcp-segment.js';
import type { TcpSegment } from './tcp-segment.js';

/** Connections of all guests, and of one. */
const MOST_CONNECTIONS = 512;
const MOST_OF_ONE = 24;
/** IPv4's and TCP's headers. */
const HEADERS = 40;

/** Where segments came from and answers go. */
export interface Peer {
  readonly guest: Guest;
  readonly vlan: number | null;
  /** Address that the guest uses. */
  readonly address: string;
  readonly send: (segment: TcpSegment, mss?: number) => void;
}

/** Between a guest's address and the one port that is served. */
const keyOf = (mac: string, vlan: number | null, address: string, port: number): string =>
  `${mac} ${vlan ?? ''} ${address} ${port}`;

/** Ends the TCP connections of guests to one service. */
export class TcpServer {
  readonly #connections = new Map<string, TcpConnection>();
  readonly #ofGuest = new Map<string, number>();
  readonly #onConnection: (connection: TcpConnection, peer: Peer) => void;

  constructor(onConnection: (connection: TcpConnection, peer: Peer) => void) {
    this.#onConnection = onConnection;
  }

  /** Takes a segment of a connection that there is; false when there is none. */
  receive(mac: string, vlan: number | null, address: string, segment: TcpSegment): boolean {
    const connection = this.#connections.get(keyOf(mac, vlan, address, segment.sourcePort));
    connection?.receive(segment);
    return connection !== undefined;
  }

  /** A first segment begins a connection; any other is told that there is none. */
  open(peer: Peer, segment: TcpSegment & { readonly mss: number }): void {
    const { guest, vlan, address } = peer;
    const key = keyOf(guest.mac, vlan, address, segment.sourcePort);
    if (this.#connections.has(key)) return;
    if ((segment.flags & (FLAG.syn | FLAG.ack | FLAG.rst)) !== FLAG.syn) {
      if ((segment.flags & FLAG.rst) === 0) refuse(peer, segment);
      return;
    }
    const open = this.#ofGuest.get(guest.mac) ?? 0;
    if (this.#connections.size >= MOST_CONNECTIONS || open >= MOST_OF_ONE) {
      refuse(peer, segment);
      return;
    }
    this.#ofGuest.set(guest.mac, open + 1);
    const connection = new TcpConnection({
      sourcePort: segment.destinationPort,
      destinationPort: segment.sourcePort,
      first: segment,
      mss: guest.mtu - HEADERS,
      send: peer.send,
      onGone: () => {
        this.#connections.delete(key);
        this.#countDown(guest.mac);
      },
    });
    this.#connections.set(key, connection);
    this.#onConnection(connection, peer);
  }

  #countDown(mac: string): void {
    const left = (this.#ofGuest.get(mac) ?? 1) - 1;
    if (left > 0) this.#ofGuest.set(mac, left);
    else this.#ofGuest.delete(mac);
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.destroy();
  }
}

/** Source: RFC 9293, 3.10.7.1. */
function refuse({ send }: Peer, segment: TcpSegment): void {
  const hasAck = (segment.flags & FLAG.ack) !== 0;
  const length = segment.payload.length + ((segment.flags & (FLAG.syn | FLAG.fin)) === 0 ? 0 : 1);
  send({
    sourcePort: segment.destinationPort,
    destinationPort: segment.sourcePort,
    sequence: hasAck ? segment.acknowledgement : 0,
    acknowledgement: hasAck ? 0 : (segment.sequence + length) >>> 0,
    flags: hasAck ? FLAG.rst : FLAG.rst | FLAG.ack,
    window: 0,
    payload: Buffer.alloc(0),
  });
}
