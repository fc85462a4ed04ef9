import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { RequestContext } from '../../kernel/service.js';
import { parseOne, parseOneOrMany } from '../bulk.js';
import { type NetworkDeps, ownerOf, requirePrivilege, standardColumns, touched } from '../deps.js';
import { dropDhcpPort } from '../node/dhcp-port.js';
import { neutronError } from '../errors.js';
import { listBody, project } from '../query.js';
import type { NetworkRow } from '../tables.js';
import {
  DEFAULT_MTU,
  findNetwork,
  networkBody,
  PHYSICAL_NETWORK,
  subnetIds,
  visibleNetworks,
} from './store.js';

type Params = { Params: { id: string } };

const Shared = {
  name: z.string().max(255).optional(),
  description: z.string().max(255).optional(),
  admin_state_up: z.boolean().optional(),
  shared: z.boolean().optional(),
  'router:external': z.boolean().optional(),
  mtu: z.int().min(68).max(65_535).optional(),
  port_security_enabled: z.boolean().optional(),
};
const Create = z.strictObject({
  ...Shared,
  project_id: z.string().optional(),
  tenant_id: z.string().optional(),
  is_default: z.literal(false).optional(),
  availability_zone_hints: z.array(z.string()).max(0).optional(),
  'provider:network_type': z.string().nullish(),
  'provider:physical_network': z.string().nullish(),
  'provider:segmentation_id': z.unknown().optional(),
});
const Update = z.strictObject(Shared);

/** Only what the hosts' switch does today: untagged networks. @throws ApiError 400 */
function checkProvider(fields: z.output<typeof Create>): void {
  const type = fields['provider:network_type'] ?? 'flat';
  const segment = fields['provider:segmentation_id'] ?? null;
  if (type !== 'flat' || segment !== null) {
    throw neutronError(
      'InvalidInput',
      `Invalid input for operation: networks of type ${type} are not served here, only flat ones.`,
    );
  }
  const physical = fields['provider:physical_network'] ?? PHYSICAL_NETWORK;
  if (physical !== PHYSICAL_NETWORK) {
    throw neutronError(
      'InvalidInput',
      `Invalid input for operation: physical_network '${physical}' unknown; there is ${PHYSICAL_NETWORK}.`,
    );
  }
}

function newNetwork(context: RequestContext, fields: z.output<typeof Create>): NetworkRow {
  requirePrivilege(context, fields.shared === true, 'create_network:shared');
  requirePrivilege(context, fields['router:external'] === true, 'create_network:router:external');
  requirePrivilege(
    context,
    Object.keys(fields).some((name) => name.startsWith('provider:')),
    'create_network:provider',
  );
  checkProvider(fields);
  return {
    ...standardColumns(ownerOf(context, fields), fields.description),
    name: fields.name ?? '',
    admin_state_up: Number(fields.admin_state_up ?? true),
    shared: Number(fields.shared ?? false),
    external: Number(fields['router:external'] ?? false),
    mtu: fields.mtu ?? DEFAULT_MTU,
    port_security_enabled: Number(fields.port_security_enabled ?? true),
    physical_network: PHYSICAL_NETWORK,
  };
}

/** @throws ApiError 403 unless the caller owns the network. */
function requireOwner(context: RequestContext, row: NetworkRow, rule: string): void {
  requirePrivilege(context, row.project_id !== context.projectId, rule);
}

async function update(
  deps: NetworkDeps,
  context: RequestContext,
  id: string,
  body: unknown,
): Promise<NetworkRow> {
  const fields = parseOne(Update, 'network', body);
  return deps.db.transaction().execute(async (trx) => {
    const old = await findNetwork(trx, context, id);
    requireOwner(context, old, 'update_network');
    requirePrivilege(
      context,
      fields.shared !== undefined && Number(fields.shared) !== old.shared,
      'update_network:shared',
    );
    requirePrivilege(context, fields['router:external'] !== undefined, 'update_network:router:external');
    const row: NetworkRow = {
      ...old,
      ...touched(old),
      name: fields.name ?? old.name,
      description: fields.description ?? old.description,
      admin_state_up: Number(fields.admin_state_up ?? old.admin_state_up),
      shared: Number(fields.shared ?? old.shared),
      external: Number(fields['router:external'] ?? old.external),
      mtu: fields.mtu ?? old.mtu,
      port_security_enabled: Number(fields.port_security_enabled ?? old.port_security_enabled),
    };
    await trx.updateTable('network_network').set(row).where('id', '=', id).execute();
    return row;
  });
}

/** `/v2.0/networks` */
export function registerNetworkRoutes(app: FastifyInstance, deps: NetworkDeps): void {
  app.get('/v2.0/networks', async (request) => {
    const context = await deps.authenticate(request);
    const subnets = await subnetIds(deps.db);
    const rows = await visibleNetworks(deps.db, context);
    const bodies = rows.map((row) => networkBody(context, row, subnets.get(row.id) ?? []));
    return listBody('networks', `${deps.base()}/networks`, bodies, request.query);
  });

  app.get<Params>('/v2.0/networks/:id', async (request) => {
    const context = await deps.authenticate(request);
    const row = await findNetwork(deps.db, context, request.params.id);
    const subnets = (await subnetIds(deps.db, row.id)).get(row.id) ?? [];
    return { network: project(networkBody(context, row, subnets), request.query) };
  });

  app.post('/v2.0/networks', async (request, reply) => {
    const context = await deps.authenticate(request);
    const wanted = parseOneOrMany(Create, 'network', 'networks', request.body);
    const rows = wanted.items.map((fields) => newNetwork(context, fields));
    await deps.db.insertInto('network_network').values(rows).execute();
    return reply.code(201).send(wanted.wrap(rows.map((row) => networkBody(context, row, []))));
  });

  app.put<Params>('/v2.0/networks/:id', async (request) => {
    const context = await deps.authenticate(request);
    const row = await update(deps, context, request.params.id, request.body);
    return { network: networkBody(context, row, (await subnetIds(deps.db, row.id)).get(row.id) ?? []) };
  });

  app.delete<Params>('/v2.0/networks/:id', async (request, reply) => {
    const context = await deps.authenticate(request);
    const { id } = request.params;
    await deps.db.transaction().execute(async (trx) => {
      requireOwner(context, await findNetwork(trx, context, id), 'delete_network');
      await dropDhcpPort(trx, { networkId: id });
      const used = await trx
        .selectFrom('network_port')
        .select('id')
        .where('network_id', '=', id)
        .executeTakeFirst();
      if (used !== undefined) {
        const message = `Unable to complete operation on network ${id}. There are one or more ports still in use on the network, id for these ports is ${used.id}.`;
        throw neutronError('NetworkInUse', message);
      }
      await trx.deleteFrom('network_network').where('id', '=', id).execute();
    });
    return reply.code(204).send();
  });
}
