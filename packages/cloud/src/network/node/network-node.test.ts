import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import * as fc from 'fast-check';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Guest } from './directory.js';
import {
  checksum,
  ETHERTYPE,
  ipBytes,
  readArp,
  readEthernet,
  readIpv4,
  readUdp,
  writeEthernet,
  writeIpv4,
  writeUdp,
} from './frames.js';
import type { ProxiedRequest } from './metadata-proxy.js';
import { NetworkNode } from './network-node.js';
import { FLAG, readTcp, writeTcp } from './tcp-segment.js';

const SERVER_MAC = 'fa:16:3e:00:00:fe';
const SERVER = '10.0.0.2';
const METADATA = '169.254.169.254';

const guest = (number: number): Guest => ({
  portId: `port-${number}`,
  mac: `fa:16:3e:00:00:0${number}`,
  networkId: 'net',
  projectId: `project-${number}`,
  deviceId: `instance-${number}`,
  mtu: 1450,
  serverMac: SERVER_MAC,
  subnets: [
    {
      address: `10.0.0.1${number}`,
      cidr: '10.0.0.0/23',
      gateway: '10.0.0.1',
      dns: ['9.9.9.9'],
      routes: [{ destination: '192.168.0.0/16', nexthop: '10.0.0.9' }],
      server: SERVER,
    },
  ],
});
const ALICE = guest(1);
const BOB = guest(2);

let known: Map<string, Guest>;
let frames: Buffer[];
let requests: ProxiedRequest[];
let node: NetworkNode;
let give: (frame: Buffer) => void;

beforeEach(() => {
  known = new Map([ALICE, BOB].map((one) => [one.mac, one]));
  frames = [];
  requests = [];
  node = new NetworkNode({
    directory: { find: async (mac, vlan) => (vlan === null ? known.get(mac) : undefined) },
    request: async (request) => {
      requests.push(request);
      return {
        status: 200,
        contentType: 'text/plain',
        body: Buffer.from(`for ${request.headers['X-Instance-ID']}`),
      };
    },
    sign: (identifier) => createHash('md5').update(identifier).digest('hex'),
    log: pino({ level: 'silent' }),
  });
  const cable = node.attach((frame) => frames.push(frame));
  give = (frame) => cable.receive(frame);
});

afterEach(() => node.close());

interface Sent {
  readonly from: Guest;
  readonly address?: string;
  readonly to?: string;
  readonly vlan?: number;
  readonly mac?: string;
}

function send(protocol: number, payload: Buffer, { from, address, to = METADATA, vlan, mac }: Sent): void {
  const source = address ?? from.subnets[0]?.address ?? '';
  const packet = writeIpv4({ source, destination: to, protocol, payload });
  give(
    writeEthernet({
      destination: mac ?? SERVER_MAC,
      source: from.mac,
      vlan: vlan ?? null,
      type: ETHERTYPE.ipv4,
      payload: packet,
    }),
  );
}

function arp(from: Guest, target: string, senderIp = from.subnets[0]?.address ?? ''): void {
  const mac = Buffer.from(from.mac.replaceAll(':', ''), 'hex');
  const head = Buffer.from([0, 1, 8, 0, 6, 4, 0, 1]);
  const payload = Buffer.concat([head, mac, ipBytes(senderIp), Buffer.alloc(6), ipBytes(target)]);
  give(
    writeEthernet({
      destination: 'ff:ff:ff:ff:ff:ff',
      source: from.mac,
      vlan: null,
      type: ETHERTYPE.arp,
      payload,
    }),
  );
}

function echo(): Buffer {
  const request = Buffer.from([8, 0, 0, 0, 1, 2, 3, 4, 5]);
  request.writeUInt16BE(checksum(request), 2);
  return request;
}

function dhcp(type: number, from: Guest, options: readonly number[] = [], chaddr = from.mac): void {
  const message = Buffer.alloc(240);
  message.set([1, 1, 6]);
  message.set([1, 2, 3, 4], 4);
  message.set(Buffer.from(chaddr.replaceAll(':', ''), 'hex'), 28);
  message.writeUInt32BE(0x6382_5363, 236);
  const payload = Buffer.concat([message, Buffer.from([53, 1, type, ...options, 255])]);
  const to = '255.255.255.255';
  const datagram = writeUdp('0.0.0.0', to, { sourcePort: 68, destinationPort: 67, payload });
  send(17, datagram, { from, address: '0.0.0.0', to, mac: 'ff:ff:ff:ff:ff:ff' });
}

/** The options of the answer that was sent. */
async function dhcpAnswer(): Promise<{ address: string; options: ReadonlyMap<number, string> } | undefined> {
  await wait(5);
  const frame = readEthernet(frames[0] ?? Buffer.alloc(0));
  const packet = frame && readIpv4(frame.payload);
  const message = packet && readUdp(packet)?.payload;
  if (message === undefined) return undefined;
  const options = new Map<number, string>();
  for (let at = 240; message[at] !== 255; at += 2 + (message[at + 1] ?? 0)) {
    options.set(message[at] ?? 0, message.toString('hex', at + 2, at + 2 + (message[at + 1] ?? 0)));
  }
  return { address: [...message.subarray(16, 20)].join('.'), options };
}

describe('DHCP', () => {
  it('gives a port its own address, with everything that Neutron tells', async () => {
    dhcp(1, ALICE);
    const offer = await dhcpAnswer();
    expect(offer?.address).toBe('10.0.0.11');
    expect(Object.fromEntries(offer?.options ?? [])).toEqual({
      53: '02',
      54: '0a000002',
      51: '00015180',
      58: '0000a8c0',
      59: '00012750',
      1: 'fffffe00',
      28: '0a0001ff',
      3: '0a000001',
      6: '09090909',
      26: '05aa',
      12: Buffer.from('host-10-0-0-11').toString('hex'),
      15: Buffer.from('openstacklocal').toString('hex'),
      121: '20a9fea9fe0a00000210c0a80a000009000a000001',
    });
  });

  it.each([
    ['its own', [50, 4, 10, 0, 0, 11], '05'],
    ['another one', [50, 4, 10, 0, 0, 12], '06'],
  ] as const)('answers a request for %s', async (_what, options, type) => {
    dhcp(3, ALICE, options);
    expect((await dhcpAnswer())?.options.get(53)).toBe(type);
  });

  it('says nothing to strangers, to liars, and to who chose another server', async () => {
    dhcp(1, guest(3));
    dhcp(1, ALICE, [], BOB.mac);
    dhcp(3, ALICE, [50, 4, 10, 0, 0, 11, 54, 4, 10, 0, 0, 99]);
    await wait(5);
    expect(frames).toEqual([]);
  });
});

describe('ARP and ping', () => {
  it.each([METADATA, SERVER])('are answered for %s', async (address) => {
    arp(ALICE, address);
    send(1, echo(), { from: ALICE, to: address });
    await wait(5);
    const [reply, pong] = frames.map((frame) => readEthernet(frame));
    expect(reply).toMatchObject({ source: SERVER_MAC, destination: ALICE.mac, type: ETHERTYPE.arp });
    expect(reply && readArp(reply.payload)).toMatchObject({
      operation: 2,
      senderMac: SERVER_MAC,
      senderIp: address,
    });
    const packet = pong && readIpv4(pong.payload);
    expect(packet).toMatchObject({ source: address, destination: '10.0.0.11' });
    expect(packet?.payload[0]).toBe(0);
    expect(packet && checksum(packet.payload)).toBe(0);
  });

  it('are not for other addresses, from other addresses, by other networks, nor for strangers', async () => {
    arp(ALICE, '10.0.0.1');
    arp(ALICE, METADATA, '10.0.0.12');
    arp(guest(3), METADATA);
    send(1, echo(), { from: ALICE, to: '10.0.0.1' });
    send(1, echo(), { from: ALICE, address: '10.0.0.12' });
    send(1, echo(), { from: ALICE, vlan: 7 });
    send(1, echo(), { from: guest(3) });
    send(1, echo(), { from: ALICE, mac: 'fa:16:3e:99:99:99' });
    await wait(5);
    expect(frames).toEqual([]);
  });
});

const segments = () =>
  frames.flatMap((frame) => {
    const read = readEthernet(frame);
    const packet = read && readIpv4(read.payload);
    const found = packet && readTcp(packet);
    return found === undefined ? [] : [found];
  });

/** Asks over TCP as `sent` says; the bytes that came back. */
async function ask(text: string, sent: Sent): Promise<string> {
  const source = sent.address ?? sent.from.subnets[0]?.address ?? '';
  const segment = { sourcePort: 40_000, destinationPort: 80, window: 60_000 };
  const tcp = (flags: number, sequence: number, acknowledgement: number, payload = Buffer.alloc(0)): void =>
    send(6, writeTcp(source, METADATA, { ...segment, flags, sequence, acknowledgement, payload }), sent);
  tcp(FLAG.syn, 100, 0);
  await wait(10);
  const [first] = segments();
  if (first === undefined || (first.flags & FLAG.syn) === 0) return '';
  tcp(FLAG.ack, 101, first.sequence + 1, Buffer.from(text));
  await wait(60);
  const answer = Buffer.concat(segments().map(({ payload }) => payload)).toString();
  tcp(FLAG.rst, 101 + text.length, 0);
  return answer;
}

const request = (path: string, ...headers: readonly string[]) =>
  [`GET ${path} HTTP/1.1`, 'Host: 169.254.169.254', ...headers, '', ''].join('\r\n');

describe('the metadata service', () => {
  it('is asked for the guest that the frames came from, in a proxy’s signed words', async () => {
    const answer = await ask(
      request('/latest/?x=1', 'Accept: a/b', 'X-Instance-ID: instance-2', 'X-Tenant-ID: t'),
      {
        from: ALICE,
      },
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nfor instance-1$/);
    expect(requests).toEqual([
      {
        method: 'GET',
        url: '/latest/?x=1',
        payload: Buffer.alloc(0),
        headers: {
          accept: 'a/b',
          'X-Forwarded-For': '10.0.0.11',
          'X-Instance-ID': 'instance-1',
          'X-Tenant-ID': 'project-1',
          'X-Instance-ID-Signature': createHash('md5').update('instance-1').digest('hex'),
        },
      },
    ]);
  });

  it.each<[string, Sent]>([
    ['the address of another', { from: ALICE, address: '10.0.0.12' }],
    ['a MAC address that nobody has', { from: guest(3) }],
    ['another network', { from: ALICE, vlan: 3 }],
    ['a guest that speaks past us', { from: ALICE, mac: BOB.mac }],
  ])('is not asked by %s', async (_what, sent) => {
    expect(await ask(request('/'), sent)).toBe('');
    expect(frames).toEqual([]);
    expect(requests).toEqual([]);
  });

  it('is not asked on a connection whose port is gone meanwhile', async () => {
    const asked = ask(request('/'), { from: ALICE });
    await wait(5);
    known.delete(ALICE.mac);
    expect(await asked).toMatch(/^HTTP\/1\.1 404 /);
    expect(requests).toEqual([]);
  });
});

describe('what is no frame', () => {
  it('is taken without harm', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 400 }),
        fc.constantFrom(0x0800, 0x0806, 0x8100),
        async (bytes, type) => {
          const frame = writeEthernet({
            destination: SERVER_MAC,
            source: ALICE.mac,
            vlan: null,
            type,
            payload: Buffer.from(bytes),
          });
          give(frame);
          give(Buffer.from(bytes));
        },
      ),
    );
    await wait(5);
    expect(requests).toEqual([]);
  });
});
