import { isIP } from 'node:net';
import { z } from 'zod';
import { isUuid } from '../../kernel/ids.js';
import { boolean, description, gated, integer, MAX_TAGS, metadata, name, tag } from '../api/values.js';

const uuid = z.string().refine(isUuid, 'must be a UUID');
const fixedIp = z.string().refine((text) => isIP(text) !== 0, 'must be an IP address');
const fqdn = z.string().regex(/^[a-zA-Z0-9._-]{1,255}$/, 'must be a host name');
const hostname = z.string().regex(/^(?!-)[a-zA-Z0-9-]{1,63}(?<!-)$/, 'must be a host name');

/** Padded base64, with line breaks or without. */
const isBase64 = (text: string): boolean => {
  const bare = text.replaceAll(/\s+/g, '');
  return bare.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(bare);
};

/** user_data is base64 of at most 65535 characters. */
const userData = z.string().max(65_535).refine(isBase64, 'must be base64').nullable();

const network = (version: number) =>
  z.strictObject({
    uuid: (version >= 37 ? uuid : z.string()).optional(),
    port: uuid.nullish(),
    fixed_ip: fixedIp.optional(),
    // 2.32 brought tags, 2.37 lost them, 2.42 has them again.
    tag: gated((version >= 32 && version < 37) || version >= 42, tag),
  });

function networks(version: number) {
  const list = z.array(network(version)).max(64);
  return version >= 37 ? z.union([z.enum(['auto', 'none']), list]) : list.optional();
}

const reference = z.string().min(1).max(255);
const blockDevices = z.array(z.record(z.string(), z.unknown())).max(64);

/** Fields of `server` at every microversion. */
const BASE = {
  name,
  // Clients give the identifier, or the address of the resource that ends with it.
  imageRef: z.string().max(255).optional(),
  flavorRef: z.union([reference, z.number().transform(String)]),
  adminPass: z.string().optional(),
  metadata: metadata.optional(),
  'OS-DCF:diskConfig': z.enum(['AUTO', 'MANUAL']).optional(),
  accessIPv4: z.string().optional(),
  accessIPv6: z.string().optional(),
  availability_zone: name.optional(),
  block_device_mapping: blockDevices.optional(),
  block_device_mapping_v2: blockDevices.optional(),
  config_drive: boolean.optional(),
  key_name: name.optional(),
  min_count: integer(1).optional(),
  max_count: integer(1).optional(),
  return_reservation_id: boolean.optional(),
  security_groups: z.array(z.strictObject({ name: z.string().min(1).max(255) })).optional(),
  user_data: userData.optional(),
};

const hints = z.record(z.string(), z.unknown());

/** The body of POST /servers by microversion. nova/api/openstack/compute/schemas/servers.py */
export function createSchema(version: number) {
  const server = z.strictObject({
    ...BASE,
    networks: networks(version),
    personality: gated(version < 57, z.array(z.unknown())),
    description: gated(version >= 19, description),
    tags: gated(version >= 52, z.array(tag).max(MAX_TAGS)),
    trusted_image_certificates: gated(version >= 63, z.array(z.string()).nullable()),
    host: gated(version >= 74, fqdn),
    hypervisor_hostname: gated(version >= 74, fqdn),
    hostname: gated(version >= 90, version >= 94 ? fqdn : hostname),
  });
  return z.strictObject({
    server,
    'os:scheduler_hints': hints.optional(),
    'OS-SCH-HNT:scheduler_hints': hints.optional(),
  });
}

export type CreateBody = z.output<ReturnType<typeof createSchema>>;
export type ServerBody = CreateBody['server'];
export type NetworkRequest = z.output<ReturnType<typeof network>>;
