/** Ethernet (IEEE 802.3, 802.1Q), ARP (RFC 826), IPv4 (RFC 791), ICMP (RFC 792) and UDP (RFC 768), as far as the network node speaks them. */

export const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, vlan: 0x8100 } as const;
export const PROTOCOL = { icmp: 1, tcp: 6, udp: 17 } as const;
export const BROADCAST_MAC = 'ff:ff:ff:ff:ff:ff';

const ETHERNET_HEADER = 14;
const VLAN_TAG = 4;
const IPV4_HEADER = 20;
const UDP_HEADER = 8;
const ARP_LENGTH = 28;
const TTL = 64;

export interface EthernetFrame {
  /** `fa:16:3e:01:02:03` */
  readonly destination: string;
  readonly source: string;
  /** Null = untagged. */
  readonly vlan: number | null;
  readonly type: number;
  readonly payload: Buffer;
}

export interface ArpPacket {
  readonly operation: number;
  readonly senderMac: string;
  readonly senderIp: string;
  readonly targetIp: string;
}

export interface Ipv4Packet {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly payload: Buffer;
}

export interface UdpDatagram {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Buffer;
}

const macText = (bytes: Buffer): string => (bytes.toString('hex').match(/../g) ?? []).join(':');
const macBytes = (mac: string): Buffer => Buffer.from(mac.replaceAll(':', ''), 'hex');
const ipText = (bytes: Buffer): string => [...bytes].join('.');
export const ipBytes = (address: string): Buffer => Buffer.from(address.split('.').map(Number));

/** Undefined for what is too short. */
export function readEthernet(frame: Buffer): EthernetFrame | undefined {
  if (frame.length < ETHERNET_HEADER) return undefined;
  const outer = frame.readUInt16BE(12);
  const isTagged = outer === ETHERTYPE.vlan;
  if (isTagged && frame.length < ETHERNET_HEADER + VLAN_TAG) return undefined;
  return {
    destination: macText(frame.subarray(0, 6)),
    source: macText(frame.subarray(6, 12)),
    // A tag of VLAN 0 carries a priority alone.
    vlan: isTagged ? frame.readUInt16BE(14) & 0xfff || null : null,
    type: isTagged ? frame.readUInt16BE(16) : outer,
    payload: frame.subarray(ETHERNET_HEADER + (isTagged ? VLAN_TAG : 0)),
  };
}

export function writeEthernet({ destination, source, vlan, type, payload }: EthernetFrame): Buffer {
  const tag = vlan === null ? [] : [word(ETHERTYPE.vlan), word(vlan)];
  return Buffer.concat([macBytes(destination), macBytes(source), ...tag, word(type), payload]);
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

/** Undefined for what is not ARP of IPv4 over Ethernet. */
export function readArp(payload: Buffer): ArpPacket | undefined {
  if (payload.length < ARP_LENGTH) return undefined;
  if (payload.readUInt32BE(0) !== 0x0001_0800 || payload.readUInt16BE(4) !== 0x0604) return undefined;
  return {
    operation: payload.readUInt16BE(6),
    senderMac: macText(payload.subarray(8, 14)),
    senderIp: ipText(payload.subarray(14, 18)),
    targetIp: ipText(payload.subarray(24, 28)),
  };
}

/** The answer that `targetIp` of a request is at `mac`. */
export function writeArpReply(request: ArpPacket, mac: string): Buffer {
  return Buffer.concat([
    Buffer.from([0, 1, 8, 0, 6, 4, 0, 2]),
    macBytes(mac),
    ipBytes(request.targetIp),
    macBytes(request.senderMac),
    ipBytes(request.senderIp),
  ]);
}

/** RFC 1071. */
export function checksum(...parts: readonly Buffer[]): number {
  let sum = 0;
  const bytes = Buffer.concat(parts);
  for (let at = 0; at + 1 < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  if (bytes.length % 2 === 1) sum += (bytes.at(-1) ?? 0) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000);
  return ~sum & 0xffff;
}

/** What TCP and UDP count beside themselves. */
export function pseudoHeader(source: string, destination: string, protocol: number, length: number): Buffer {
  return Buffer.concat([ipBytes(source), ipBytes(destination), Buffer.from([0, protocol]), word(length)]);
}

/** Undefined for what is damaged, and for fragments: nobody sends us anything so large. */
export function readIpv4(payload: Buffer): Ipv4Packet | undefined {
  if (payload.length < IPV4_HEADER || (payload[0] ?? 0) >> 4 !== 4) return undefined;
  const headerLength = ((payload[0] ?? 0) & 0xf) * 4;
  const length = payload.readUInt16BE(2);
  if (headerLength < IPV4_HEADER || length < headerLength || length > payload.length) return undefined;
  if ((payload.readUInt16BE(6) & 0x3fff) !== 0) return undefined;
  if (checksum(payload.subarray(0, headerLength)) !== 0) return undefined;
  return {
    source: ipText(payload.subarray(12, 16)),
    destination: ipText(payload.subarray(16, 20)),
    protocol: payload[9] ?? 0,
    payload: payload.subarray(headerLength, length),
  };
}

export function writeIpv4({ source, destination, protocol, payload }: Ipv4Packet): Buffer {
  const header = Buffer.alloc(IPV4_HEADER);
  header[0] = 0x45;
  header.writeUInt16BE(IPV4_HEADER + payload.length, 2);
  // Never to be divided.
  header.writeUInt16BE(0x4000, 6);
  header[8] = TTL;
  header[9] = protocol;
  header.set(ipBytes(source), 12);
  header.set(ipBytes(destination), 16);
  header.writeUInt16BE(checksum(header), 10);
  return Buffer.concat([header, payload]);
}

/** Undefined for what is damaged. */
export function readUdp({ source, destination, payload }: Ipv4Packet): UdpDatagram | undefined {
  if (payload.length < UDP_HEADER) return undefined;
  const length = payload.readUInt16BE(4);
  if (length < UDP_HEADER || length > payload.length) return undefined;
  const whole = payload.subarray(0, length);
  // No checksum is none.
  if (payload.readUInt16BE(6) !== 0) {
    if (checksum(pseudoHeader(source, destination, PROTOCOL.udp, length), whole) !== 0) return undefined;
  }
  return {
    sourcePort: payload.readUInt16BE(0),
    destinationPort: payload.readUInt16BE(2),
    payload: whole.subarray(UDP_HEADER),
  };
}

export function writeUdp(source: string, destination: string, datagram: UdpDatagram): Buffer {
  const { sourcePort, destinationPort, payload } = datagram;
  const length = UDP_HEADER + payload.length;
  const bytes = Buffer.concat([word(sourcePort), word(destinationPort), word(length), word(0), payload]);
  const sum = checksum(pseudoHeader(source, destination, PROTOCOL.udp, length), bytes);
  bytes.writeUInt16BE(sum === 0 ? 0xffff : sum, 6);
  return bytes;
}

const ECHO_REQUEST = 8;

/** The reply to an echo request; undefined for anything else. */
export function echoReply(payload: Buffer): Buffer | undefined {
  if (payload.length < 8 || payload[0] !== ECHO_REQUEST || checksum(payload) !== 0) return undefined;
  const reply = Buffer.from(payload);
  reply[0] = 0;
  reply.writeUInt16BE(0, 2);
  reply.writeUInt16BE(checksum(reply), 2);
  return reply;
}
