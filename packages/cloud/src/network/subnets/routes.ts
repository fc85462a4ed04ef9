import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { RequestContext } from '../../kernel/service.js';
import { parseOne, parseOneOrMany } from '../bulk.js';
import { type NetworkDeps, requirePrivilege, touched } from '../deps.js';
import { dropDhcpPort } from '../node/dhcp-port.js';
import { neutronError } from '../errors.js';
import { parseBlock } from '../ip/address.js';
import { listBody, project } from '../query.js';
import type { SubnetRow } from '../tables.js';
import { canonical, CreateFields, createSubnet, SharedFields } from './create.js';
import { checkPools } from './pools.js';
import { findSubnet, poolsOf, subnetBody, visibleSubnets } from './store.js';

type Params = { Params: { id: string } };
const Update = z.strictObject(SharedFields);

const json = (value: unknown, before: string): string =>
  value === undefined ? before : JSON.stringify(value);

function changed(old: SubnetRow, fields: z.output<typeof Update>): SubnetRow {
  const block = parseBlock(old.cidr);
  const gateway =
    fields.gateway_ip === undefined
      ? old.gateway_ip
      : fields.gateway_ip === null
        ? null
        : canonical(fields.gateway_ip);
  const pools = fields.allocation_pools ?? poolsOf(old);
  if (block !== undefined) checkPools(pools, block, old.cidr, gateway);
  return {
    ...old,
    ...touched(old),
    name: fields.name ?? old.name,
    description: fields.description ?? old.description,
    enable_dhcp: Number(fields.enable_dhcp ?? old.enable_dhcp),
    gateway_ip: gateway,
    allocation_pools: JSON.stringify(
      pools.map(({ start, end }) => ({ start: canonical(start), end: canonical(end) })),
    ),
    dns_nameservers: json(fields.dns_nameservers, old.dns_nameservers),
    host_routes: json(fields.host_routes, old.host_routes),
  };
}

async function update(
  deps: NetworkDeps,
  context: RequestContext,
  id: string,
  body: unknown,
): Promise<SubnetRow> {
  const fields = parseOne(Update, 'subnet', body);
  return deps.db.transaction().execute(async (trx) => {
    const old = await findSubnet(trx, context, id);
    requirePrivilege(context, old.project_id !== context.projectId, 'update_subnet');
    const row = changed(old, fields);
    await trx.updateTable('network_subnet').set(row).where('id', '=', id).execute();
    return row;
  });
}

/** `/v2.0/subnets` */
export function registerSubnetRoutes(app: FastifyInstance, deps: NetworkDeps): void {
  app.get('/v2.0/subnets', async (request) => {
    const rows = await visibleSubnets(deps.db, await deps.authenticate(request));
    return listBody('subnets', `${deps.base()}/subnets`, rows.map(subnetBody), request.query);
  });

  app.get<Params>('/v2.0/subnets/:id', async (request) => {
    const row = await findSubnet(deps.db, await deps.authenticate(request), request.params.id);
    return { subnet: project(subnetBody(row), request.query) };
  });

  app.post('/v2.0/subnets', async (request, reply) => {
    const context = await deps.authenticate(request);
    const wanted = parseOneOrMany(CreateFields, 'subnet', 'subnets', request.body);
    const rows = await deps.db.transaction().execute(async (trx) => {
      const made: SubnetRow[] = [];
      for (const fields of wanted.items) made.push(await createSubnet(trx, context, fields));
      return made;
    });
    return reply.code(201).send(wanted.wrap(rows.map(subnetBody)));
  });

  app.put<Params>('/v2.0/subnets/:id', async (request) => {
    const context = await deps.authenticate(request);
    return { subnet: subnetBody(await update(deps, context, request.params.id, request.body)) };
  });

  app.delete<Params>('/v2.0/subnets/:id', async (request, reply) => {
    const context = await deps.authenticate(request);
    const { id } = request.params;
    await deps.db.transaction().execute(async (trx) => {
      const row = await findSubnet(trx, context, id);
      requirePrivilege(context, row.project_id !== context.projectId, 'delete_subnet');
      await dropDhcpPort(trx, { subnetId: id });
      const used = await trx
        .selectFrom('network_fixed_ip')
        .select('port_id')
        .where('subnet_id', '=', id)
        .executeTakeFirst();
      if (used !== undefined) {
        const message = `Unable to complete operation on subnet ${id}: One or more ports have an IP allocation from this subnet.`;
        throw neutronError('SubnetInUse', message);
      }
      await trx.deleteFrom('network_subnet').where('id', '=', id).execute();
    });
    return reply.code(204).send();
  });
}
