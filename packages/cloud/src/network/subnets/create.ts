import { z } from 'zod';
import type { RequestContext } from '../../kernel/service.js';
import { type Db, ownerOf, requirePrivilege, standardColumns } from '../deps.js';
import { neutronError } from '../errors.js';
import {
  type Block,
  formatAddress,
  formatBlock,
  hostRange,
  overlap,
  parseAddress,
  parseBlock,
} from '../ip/address.js';
import { findNetwork } from '../networks/store.js';
import type { SubnetRow } from '../tables.js';
import { checkPools, defaultPools } from './pools.js';

export const Ip = z.string().refine((text) => parseAddress(text) !== undefined, 'is not an IP address');
const Cidr = z.string().refine((text) => parseBlock(text) !== undefined, 'is not an address block');

export const SharedFields = {
  name: z.string().max(255).optional(),
  description: z.string().max(255).optional(),
  enable_dhcp: z.boolean().optional(),
  gateway_ip: Ip.nullish(),
  allocation_pools: z
    .array(z.strictObject({ start: Ip, end: Ip }))
    .max(64)
    .optional(),
  dns_nameservers: z.array(Ip).max(16).optional(),
  host_routes: z
    .array(z.strictObject({ destination: Cidr, nexthop: Ip }))
    .max(64)
    .optional(),
};

export const CreateFields = z.strictObject({
  ...SharedFields,
  network_id: z.string(),
  cidr: Cidr,
  ip_version: z.union([z.literal(4), z.literal(6)]),
  project_id: z.string().optional(),
  tenant_id: z.string().optional(),
  service_types: z.array(z.string()).max(0).optional(),
});

/** Canonical text, so that equal addresses are equal strings. */
export const canonical = (text: string): string => {
  const address = parseAddress(text);
  return address === undefined ? text : formatAddress(address);
};

function checkBlock(fields: z.output<typeof CreateFields>): Block {
  const block = parseBlock(fields.cidr);
  if (block?.version !== fields.ip_version || block.prefix === 0) {
    throw neutronError(
      'InvalidInput',
      `Invalid input for operation: cidr ${fields.cidr} is not a block of IPv${fields.ip_version}.`,
    );
  }
  return block;
}

/** Makes the subnet in the caller's transaction. @throws ApiError 400, 404, 409 */
export async function createSubnet(
  trx: Db,
  context: RequestContext,
  fields: z.output<typeof CreateFields>,
): Promise<SubnetRow> {
  const network = await findNetwork(trx, context, fields.network_id);
  requirePrivilege(context, network.project_id !== context.projectId, 'create_subnet');
  const block = checkBlock(fields);
  const cidr = formatBlock(block);
  const others = await trx
    .selectFrom('network_subnet')
    .select(['id', 'cidr'])
    .where('network_id', '=', network.id)
    .execute();
  const clash = others.find((row) => {
    const other = parseBlock(row.cidr);
    return other !== undefined && overlap(block, other);
  });
  if (clash !== undefined) {
    const message = `Invalid input for operation: Requested subnet with cidr: ${cidr} for network: ${network.id} overlaps with another subnet.`;
    throw neutronError('InvalidInput', message);
  }
  const first = formatAddress({ version: block.version, value: hostRange(block).first });
  const gateway =
    fields.gateway_ip === undefined
      ? first
      : fields.gateway_ip === null
        ? null
        : canonical(fields.gateway_ip);
  const pools = fields.allocation_pools ?? defaultPools(block, gateway);
  checkPools(pools, block, cidr, fields.allocation_pools === undefined ? null : gateway);
  const row: SubnetRow = {
    ...standardColumns(
      ownerOf(context, { ...fields, tenant_id: fields.tenant_id ?? network.project_id }),
      fields.description,
    ),
    name: fields.name ?? '',
    network_id: network.id,
    ip_version: fields.ip_version,
    cidr,
    gateway_ip: gateway,
    enable_dhcp: Number(fields.enable_dhcp ?? true),
    allocation_pools: JSON.stringify(
      pools.map(({ start, end }) => ({ start: canonical(start), end: canonical(end) })),
    ),
    dns_nameservers: JSON.stringify(fields.dns_nameservers ?? []),
    host_routes: JSON.stringify(fields.host_routes ?? []),
  };
  await trx.insertInto('network_subnet').values(row).execute();
  return row;
}
