import type { Logger } from 'pino';
import { parseBlock } from '../ip/address.js';
import { answerDhcp, DHCP_PORT, MESSAGE, readDhcp } from './dhcp.js';
import type { DhcpLease } from './dhcp.js';
import type { Guest, GuestDirectory, GuestSubnet } from './directory.js';
import {
  BROADCAST_MAC,
  echoReply,
  ETHERTYPE,
  PROTOCOL,
  readArp,
  readEthernet,
  readIpv4,
  readUdp,
  writeArpReply,
  writeEthernet,
  writeIpv4,
  writeUdp,
} from './frames.js';
import type { EthernetFrame, Ipv4Packet } from './frames.js';
import { MetadataProxy } from './metadata-proxy.js';
import type { MetadataProxyOptions } from './metadata-proxy.js';
import { readTcp, writeTcp } from './tcp-segment.js';
import { TcpServer } from './tcp-server.js';
import type { Peer } from './tcp-server.js';

const METADATA_ADDRESS = '169.254.169.254';
const METADATA_PORT = 80;
/** Frames whose senders are being looked up; more are dropped, as a busy machine drops them. */
const MOST_PENDING = 256;
/** neutron.conf dns_domain. */
const DOMAIN = 'openstacklocal';

export type NetworkNodeOptions = MetadataProxyOptions;

/** One end of the wire between this node and the hosts. */
export interface NodeCable {
  /** Takes a frame off the wire. */
  receive(frame: Buffer): void;
}

/**
 * What serves guests on a physical network: their addresses by DHCP, and the metadata service at 169.254.169.254. It has a DHCP port on every
 * network that has such guests, and answers as that port, on the wire and by the VLAN that it was asked on. Only those that Neutron knows are
 * answered: a frame's source has to be the MAC address of a port, and its IPv4 source one of that port's fixed addresses.
 */
export class NetworkNode {
  readonly #directory: GuestDirectory;
  readonly #log: Logger;
  readonly #tcp: TcpServer;
  readonly #proxy: MetadataProxy;
  #pending = 0;

  constructor(options: NetworkNodeOptions) {
    this.#directory = options.directory;
    this.#log = options.log;
    this.#proxy = new MetadataProxy(options);
    this.#tcp = new TcpServer((connection, peer) => this.#proxy.serve(connection, peer));
  }

  /** Plugs the node into a wire; `send` puts a frame onto it. */
  attach(send: (frame: Buffer) => void): NodeCable {
    return { receive: (frame) => this.#receive(frame, send) };
  }

  close(): void {
    this.#tcp.close();
  }

  #receive(bytes: Buffer, send: (frame: Buffer) => void): void {
    const frame = readEthernet(bytes);
    // A group address is nobody's source.
    if (frame === undefined || (Number.parseInt(frame.source.slice(0, 2), 16) & 1) !== 0) return;
    if (frame.type === ETHERTYPE.arp) this.#lookUp(frame, send, (port) => this.#arp(port));
    if (frame.type !== ETHERTYPE.ipv4) return;
    const packet = readIpv4(frame.payload);
    if (packet === undefined) return;
    if (isDhcp(packet)) this.#lookUp(frame, send, (port) => this.#dhcp(port, packet));
    else if (packet.protocol === PROTOCOL.tcp) this.#segment(frame, packet, send);
    else if (packet.protocol === PROTOCOL.icmp) this.#lookUp(frame, send, (port) => this.#ping(port, packet));
  }

  /** Goes on with the port that the frame came from, when there is one. */
  #lookUp(frame: EthernetFrame, send: (frame: Buffer) => void, then: (port: AskingPort) => void): void {
    if (this.#pending >= MOST_PENDING) return;
    this.#pending += 1;
    this.#directory
      .find(frame.source, frame.vlan)
      .then((guest) => {
        const serverMac = guest?.serverMac ?? null;
        if (guest !== undefined && serverMac !== null) then(new AskingPort(frame, guest, serverMac, send));
      })
      .catch((error: unknown) => this.#log.warn({ err: error }, 'a guest’s port could not be looked up'))
      .finally(() => {
        this.#pending -= 1;
      });
  }

  #arp(port: AskingPort): void {
    const request = readArp(port.frame.payload);
    if (request?.operation !== 1 || request.senderMac !== port.guest.mac) return;
    // An address that a guest probes for before it takes it comes from nowhere. Source: RFC 5227.
    if (request.senderIp !== '0.0.0.0' && !port.has(request.senderIp)) return;
    if (port.serves(request.targetIp)) port.send(ETHERTYPE.arp, writeArpReply(request, port.serverMac));
  }

  #ping(port: AskingPort, packet: Ipv4Packet): void {
    if (!port.isForUs(packet)) return;
    const payload = echoReply(packet.payload);
    if (payload === undefined) return;
    const { source, destination, protocol } = packet;
    port.send(ETHERTYPE.ipv4, writeIpv4({ source: destination, destination: source, protocol, payload }));
  }

  #dhcp(port: AskingPort, packet: Ipv4Packet): void {
    const datagram = readUdp(packet);
    const request = datagram && readDhcp(datagram.payload);
    if (request === undefined || request.relayed || request.mac !== port.guest.mac) return;
    const subnet = port.guest.subnets.find(({ server }) => server !== null);
    const server = subnet?.server ?? null;
    if (subnet === undefined || server === null) return;
    const answer = answerDhcp(request, leaseOf(port.guest, subnet, server));
    if (answer === null) return;
    const toAll = request.wantsBroadcast || answer.type === MESSAGE.nak;
    const destination = toAll ? '255.255.255.255' : subnet.address;
    const ports = { sourcePort: DHCP_PORT.server, destinationPort: DHCP_PORT.client };
    const payload = writeUdp(server, destination, { ...ports, payload: answer.payload });
    const reply = writeIpv4({ source: server, destination, protocol: PROTOCOL.udp, payload });
    port.send(ETHERTYPE.ipv4, reply, toAll ? BROADCAST_MAC : port.guest.mac);
    if (answer.type === MESSAGE.ack) {
      this.#log.info({ instance: port.guest.deviceId, address: subnet.address }, 'a guest has its address');
    }
  }

  #segment(frame: EthernetFrame, packet: Ipv4Packet, send: (frame: Buffer) => void): void {
    if (packet.destination !== METADATA_ADDRESS) return;
    const segment = readTcp(packet);
    if (segment?.destinationPort !== METADATA_PORT) return;
    if (this.#tcp.receive(frame.source, frame.vlan, packet.source, segment)) return;
    this.#lookUp(frame, send, (port) => {
      if (port.isForUs(packet)) this.#tcp.open(peerOf(port, packet), segment);
    });
  }
}

function isDhcp({ protocol, payload }: Ipv4Packet): boolean {
  return protocol === PROTOCOL.udp && payload.length >= 4 && payload.readUInt16BE(2) === DHCP_PORT.server;
}

/** A guest's port that asked something, and how it is answered. */
class AskingPort {
  readonly frame: EthernetFrame;
  readonly guest: Guest;
  readonly serverMac: string;
  readonly #send: (frame: Buffer) => void;

  constructor(frame: EthernetFrame, guest: Guest, serverMac: string, send: (frame: Buffer) => void) {
    this.frame = frame;
    this.guest = guest;
    this.serverMac = serverMac;
    this.#send = send;
  }

  has(address: string): boolean {
    return this.guest.subnets.some((subnet) => subnet.address === address);
  }

  /** Whether we are this address to the guest. */
  serves(address: string): boolean {
    return address === METADATA_ADDRESS || this.guest.subnets.some(({ server }) => server === address);
  }

  /** A packet of one of the guest's own addresses, to one of ours. */
  isForUs({ source, destination }: Ipv4Packet): boolean {
    return this.frame.destination === this.serverMac && this.has(source) && this.serves(destination);
  }

  send(type: number, payload: Buffer, destination = this.guest.mac): void {
    const { vlan } = this.frame;
    this.#send(writeEthernet({ destination, source: this.serverMac, vlan, type, payload }));
  }
}

function peerOf(port: AskingPort, packet: Ipv4Packet): Peer {
  const { source, destination } = packet;
  return {
    guest: port.guest,
    vlan: port.frame.vlan,
    address: source,
    send: (segment, mss) => {
      const payload = writeTcp(destination, source, segment, mss);
      const reply = { source: destination, destination: source, protocol: PROTOCOL.tcp, payload };
      port.send(ETHERTYPE.ipv4, writeIpv4(reply));
    },
  };
}

/** What Neutron's DHCP agent tells: also a route to the metadata service, by the DHCP port itself. */
function leaseOf(guest: Guest, subnet: GuestSubnet, server: string): DhcpLease {
  const { address, cidr, gateway } = subnet;
  const block = parseBlock(cidr);
  const prefix = block?.prefix ?? 32;
  return {
    address,
    mask: addressText(0xffff_ffff - (2 ** (32 - prefix) - 1)),
    broadcast: addressText(Number(block?.last ?? 0)),
    server,
    router: gateway,
    dns: subnet.dns,
    mtu: guest.mtu,
    hostName: `host-${address.replaceAll('.', '-')}`,
    domainName: DOMAIN,
    // Who reads these reads no other route, so the default one is among them. Source: RFC 3442.
    routes: [
      { destination: `${METADATA_ADDRESS}/32`, gateway: server },
      ...subnet.routes.map(({ destination, nexthop }) => ({ destination, gateway: nexthop })),
      ...(gateway === null ? [] : [{ destination: '0.0.0.0/0', gateway }]),
    ],
  };
}

function addressText(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}
