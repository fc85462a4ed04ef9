import { checksum, PROTOCOL, pseudoHeader } from './frames.js';
import type { Ipv4Packet } from './frames.js';

/** Source: RFC 9293, 3.1. */
export const FLAG = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const;

const HEADER = 20;
const OPTION_END = 0;
const OPTION_NONE = 1;
const OPTION_MSS = 2;
/** What a peer takes that says nothing. */
const DEFAULT_MSS = 536;

export interface TcpSegment {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: number;
  readonly window: number;
  readonly payload: Buffer;
}

/** Undefined for what is damaged. */
export function readTcp({
  source,
  destination,
  payload,
}: Ipv4Packet): (TcpSegment & { readonly mss: number }) | undefined {
  if (payload.length < HEADER) return undefined;
  const offset = ((payload[12] ?? 0) >> 4) * 4;
  if (offset < HEADER || offset > payload.length) return undefined;
  if (checksum(pseudoHeader(source, destination, PROTOCOL.tcp, payload.length), payload) !== 0) {
    return undefined;
  }
  return {
    sourcePort: payload.readUInt16BE(0),
    destinationPort: payload.readUInt16BE(2),
    sequence: payload.readUInt32BE(4),
    acknowledgement: payload.readUInt32BE(8),
    flags: payload[13] ?? 0,
    window: payload.readUInt16BE(14),
    mss: readMss(payload.subarray(HEADER, offset)),
    payload: payload.subarray(offset),
  };
}

function readMss(options: Buffer): number {
  for (let at = 0; at < options.length;) {
    const kind = options[at];
    if (kind === OPTION_END) break;
    if (kind === OPTION_NONE) {
      at += 1;
      continue;
    }
    const length = options[at + 1] ?? 0;
    if (length < 2 || at + length > options.length) break;
    if (kind === OPTION_MSS && length === 4) return options.readUInt16BE(at + 2);
    at += length;
  }
  return DEFAULT_MSS;
}

/** @param mss only told in the first segment */
export function writeTcp(source: string, destination: string, segment: TcpSegment, mss?: number): Buffer {
  const options = mss === undefined ? [] : [OPTION_MSS, 4, mss >> 8, mss & 0xff];
  const header = Buffer.alloc(HEADER + options.length);
  header.writeUInt16BE(segment.sourcePort, 0);
  header.writeUInt16BE(segment.destinationPort, 2);
  header.writeUInt32BE(segment.sequence, 4);
  header.writeUInt32BE(segment.acknowledgement, 8);
  header[12] = (header.length / 4) << 4;
  header[13] = segment.flags;
  header.writeUInt16BE(segment.window, 14);
  header.set(options, HEADER);
  const bytes = Buffer.concat([header, segment.payload]);
  bytes.writeUInt16BE(checksum(pseudoHeader(source, destination, PROTOCOL.tcp, bytes.length), bytes), 16);
  return bytes;
}
