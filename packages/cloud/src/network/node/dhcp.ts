import { ipBytes } from './frames.js';

/** Source: RFC 2131 (messages), RFC 2132 (options), RFC 3442 (classless routes). */
export const DHCP_PORT = { server: 67, client: 68 } as const;
export const MESSAGE = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const;

const OPTION = {
  mask: 1,
  router: 3,
  dns: 6,
  hostName: 12,
  domainName: 15,
  mtu: 26,
  broadcast: 28,
  requestedAddress: 50,
  lease: 51,
  messageType: 53,
  server: 54,
  renewal: 58,
  rebinding: 59,
  classlessRoutes: 121,
  end: 255,
} as const;

const COOKIE = 0x6382_5363;
/** Up to the options. */
const FIXED_LENGTH = 240;
/** neutron.conf dhcp_lease_duration. */
const LEASE_SECONDS = 86_400;
const NOWHERE = '0.0.0.0';

export interface DhcpRequest {
  readonly type: number;
  readonly transaction: Buffer;
  readonly seconds: Buffer;
  readonly wantsBroadcast: boolean;
  /** What the client has already. */
  readonly clientAddress: string;
  readonly relayed: boolean;
  readonly mac: string;
  readonly requestedAddress: string | undefined;
  readonly server: string | undefined;
}

/** What a client is given. */
export interface DhcpLease {
  readonly address: string;
  readonly mask: string;
  readonly broadcast: string;
  readonly server: string;
  readonly router: string | null;
  readonly dns: readonly string[];
  readonly mtu: number;
  readonly hostName: string;
  readonly domainName: string;
  readonly routes: readonly { readonly destination: string; readonly gateway: string }[];
}

/** Undefined for what is no request of a client over Ethernet. */
export function readDhcp(payload: Buffer): DhcpRequest | undefined {
  if (payload.length < FIXED_LENGTH || payload.readUInt32BE(236) !== COOKIE) return undefined;
  if (payload[0] !== 1 || payload[1] !== 1 || payload[2] !== 6) return undefined;
  const options = readOptions(payload.subarray(FIXED_LENGTH));
  const type = options.get(OPTION.messageType);
  if (type?.length !== 1) return undefined;
  return {
    type: type[0] ?? 0,
    transaction: payload.subarray(4, 8),
    seconds: payload.subarray(8, 10),
    wantsBroadcast: ((payload[10] ?? 0) & 0x80) !== 0,
    clientAddress: address(payload.subarray(12, 16)) ?? NOWHERE,
    relayed: payload.readUInt32BE(24) !== 0,
    mac: (payload.toString('hex', 28, 34).match(/../g) ?? []).join(':'),
    requestedAddress: address(options.get(OPTION.requestedAddress)),
    server: address(options.get(OPTION.server)),
  };
}

const address = (bytes: Buffer | undefined): string | undefined =>
  bytes?.length === 4 ? [...bytes].join('.') : undefined;

function readOptions(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const options = new Map<number, Buffer>();
  for (let at = 0; at < bytes.length;) {
    const code = bytes[at] ?? OPTION.end;
    if (code === OPTION.end) break;
    if (code === 0) {
      at += 1;
      continue;
    }
    const length = bytes[at + 1] ?? 0;
    options.set(code, bytes.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return options;
}

/** What a server answers; a NAK without a lease to give. Null: nothing. */
export function answerDhcp(
  request: DhcpRequest,
  lease: DhcpLease,
): { readonly payload: Buffer; readonly type: number } | null {
  const type = answerType(request, lease);
  return type === null ? null : { type, payload: writeDhcp(request, lease, type) };
}

/** Source: RFC 2131, 4.3. An address is given to its port alone, so every other one is wrong. */
function answerType(request: DhcpRequest, lease: DhcpLease): number | null {
  switch (request.type) {
    case MESSAGE.discover:
      return MESSAGE.offer;
    case MESSAGE.request: {
      if (request.server !== undefined && request.server !== lease.server) return null;
      const wanted = request.requestedAddress ?? request.clientAddress;
      return wanted === lease.address ? MESSAGE.ack : MESSAGE.nak;
    }
    case MESSAGE.inform:
      return MESSAGE.ack;
    default:
      return null;
  }
}

function writeDhcp(request: DhcpRequest, lease: DhcpLease, type: number): Buffer {
  const head = Buffer.alloc(FIXED_LENGTH);
  head.set([2, 1, 6, 0]);
  head.set(request.transaction, 4);
  head.set(request.seconds, 8);
  head[10] = request.wantsBroadcast ? 0x80 : 0;
  const given = type !== MESSAGE.nak && request.type !== MESSAGE.inform;
  if (type !== MESSAGE.nak) head.set(ipBytes(request.clientAddress), 12);
  if (given) head.set(ipBytes(lease.address), 16);
  if (type !== MESSAGE.nak) head.set(ipBytes(lease.server), 20);
  head.set(Buffer.from(request.mac.replaceAll(':', ''), 'hex'), 28);
  head.writeUInt32BE(COOKIE, 236);
  const parts = [
    head,
    option(OPTION.messageType, Buffer.from([type])),
    option(OPTION.server, ipBytes(lease.server)),
    ...(given ? leaseTimes() : []),
    ...(type === MESSAGE.nak ? [] : configuration(lease)),
    Buffer.from([OPTION.end]),
  ];
  return Buffer.concat(parts);
}

function leaseTimes(): readonly Buffer[] {
  return [
    option(OPTION.lease, number32(LEASE_SECONDS)),
    option(OPTION.renewal, number32(LEASE_SECONDS / 2)),
    option(OPTION.rebinding, number32((LEASE_SECONDS * 7) / 8)),
  ];
}

function configuration(lease: DhcpLease): readonly Buffer[] {
  const mtu = Buffer.alloc(2);
  mtu.writeUInt16BE(lease.mtu);
  const routes = lease.routes.map(({ destination, gateway }) => classlessRoute(destination, gateway));
  return [
    option(OPTION.mask, ipBytes(lease.mask)),
    option(OPTION.broadcast, ipBytes(lease.broadcast)),
    ...(lease.router === null ? [] : [option(OPTION.router, ipBytes(lease.router))]),
    ...(lease.dns.length === 0 ? [] : [option(OPTION.dns, Buffer.concat(lease.dns.map(ipBytes)))]),
    option(OPTION.mtu, mtu),
    option(OPTION.hostName, Buffer.from(lease.hostName)),
    option(OPTION.domainName, Buffer.from(lease.domainName)),
    option(OPTION.classlessRoutes, Buffer.concat(routes)),
  ];
}

/** The prefix' length, as many octets of the destination as it takes, and the gateway. */
function classlessRoute(destination: string, gateway: string): Buffer {
  const [network = NOWHERE, prefix = '32'] = destination.split('/');
  const octets = ipBytes(network).subarray(0, Math.ceil(Number(prefix) / 8));
  return Buffer.concat([Buffer.from([Number(prefix)]), octets, ipBytes(gateway)]);
}

function number32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const MAX_OPTION = 255;

/** Longer ones are divided. Source: RFC 3396. */
function option(code: number, content: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < content.length; at += MAX_OPTION) {
    const part = content.subarray(at, at + MAX_OPTION);
    parts.push(Buffer.from([code, part.length]), part);
  }
  return Buffer.concat(parts);
}
