import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { RequestContext } from '../../kernel/service.js';
import { parseOne, parseOneOrMany } from '../bulk.js';
import { isPrivileged, type NetworkDeps, ownerOf, standardColumns, touched } from '../deps.js';
import { neutronError } from '../errors.js';
import { listBody, project } from '../query.js';
import type { GroupRow, RuleRow } from '../tables.js';
import { createRule, RuleFields } from './rules.js';
import { DEFAULT_GROUP, egressRules, ensureDefaultGroup, findGroup, groupBody, ruleBody } from './store.js';

type Params = { Params: { id: string } };

const Create = z.strictObject({
  name: z.string().max(255).default(''),
  description: z.string().max(255).optional(),
  stateful: z.literal(true).optional(),
  project_id: z.string().optional(),
  tenant_id: z.string().optional(),
});
const Update = z.strictObject({
  name: z.string().max(255).optional(),
  description: z.string().max(255).optional(),
});

async function visibleGroups(deps: NetworkDeps, context: RequestContext): Promise<readonly GroupRow[]> {
  // Whoever looks at the groups of a project finds its default one.
  if (context.projectId !== '') {
    await deps.db.transaction().execute((trx) => ensureDefaultGroup(trx, context.projectId));
  }
  const rows = await deps.db.selectFrom('network_group').selectAll().execute();
  return rows.filter((row) => isPrivileged(context) || row.project_id === context.projectId);
}

async function createGroup(
  deps: NetworkDeps,
  context: RequestContext,
  body: unknown,
): Promise<Record<string, unknown>> {
  const fields = parseOne(Create, 'security_group', body);
  const owner = ownerOf(context, fields);
  if (fields.name === DEFAULT_GROUP) {
    throw neutronError('SecurityGroupDefaultAlreadyExists', 'Default security group already exists.');
  }
  return deps.db.transaction().execute(async (trx) => {
    await ensureDefaultGroup(trx, owner);
    const group: GroupRow = { ...standardColumns(owner, fields.description), name: fields.name };
    await trx.insertInto('network_group').values(group).execute();
    const rules = egressRules(group);
    await trx
      .insertInto('network_rule')
      .values([...rules])
      .execute();
    return groupBody(group, rules);
  });
}

async function deleteGroup(deps: NetworkDeps, context: RequestContext, id: string): Promise<void> {
  await deps.db.transaction().execute(async (trx) => {
    const group = await findGroup(trx, context, id);
    if (group.name === DEFAULT_GROUP && !context.isAdmin) {
      throw neutronError(
        'SecurityGroupCannotRemoveDefault',
        'Insufficient rights for removing default security group.',
      );
    }
    const used = await trx
      .selectFrom('network_port_group')
      .select('port_id')
      .where('group_id', '=', id)
      .executeTakeFirst();
    if (used !== undefined) throw neutronError('SecurityGroupInUse', `Security Group ${id} in use.`);
    await trx.deleteFrom('network_group').where('id', '=', id).execute();
  });
}

function registerGroups(app: FastifyInstance, deps: NetworkDeps): void {
  const rulesOf = (group?: string): Promise<RuleRow[]> => {
    const query = deps.db.selectFrom('network_rule').selectAll().orderBy('created_at');
    return (group === undefined ? query : query.where('group_id', '=', group)).execute();
  };

  app.get('/v2.0/security-groups', async (request) => {
    const groups = await visibleGroups(deps, await deps.authenticate(request));
    const rules = await rulesOf();
    const bodies = groups.map((group) => groupBody(group, rules));
    return listBody('security_groups', `${deps.base()}/security-groups`, bodies, request.query);
  });

  app.get<Params>('/v2.0/security-groups/:id', async (request) => {
    const group = await findGroup(deps.db, await deps.authenticate(request), request.params.id);
    return { security_group: project(groupBody(group, await rulesOf(group.id)), request.query) };
  });

  app.post('/v2.0/security-groups', async (request, reply) => {
    const context = await deps.authenticate(request);
    return reply.code(201).send({ security_group: await createGroup(deps, context, request.body) });
  });

  app.put<Params>('/v2.0/security-groups/:id', async (request) => {
    const context = await deps.authenticate(request);
    const fields = parseOne(Update, 'security_group', request.body);
    const old = await findGroup(deps.db, context, request.params.id);
    if (old.name === DEFAULT_GROUP && fields.name !== undefined && fields.name !== DEFAULT_GROUP) {
      throw neutronError('SecurityGroupCannotUpdateDefault', 'Updating default security group not allowed.');
    }
    const row: GroupRow = {
      ...old,
      ...touched(old),
      name: fields.name ?? old.name,
      description: fields.description ?? old.description,
    };
    await deps.db.updateTable('network_group').set(row).where('id', '=', row.id).execute();
    return { security_group: groupBody(row, await rulesOf(row.id)) };
  });

  app.delete<Params>('/v2.0/security-groups/:id', async (request, reply) => {
    await deleteGroup(deps, await deps.authenticate(request), request.params.id);
    return reply.code(204).send();
  });
}

function registerRules(app: FastifyInstance, deps: NetworkDeps): void {
  const visible = async (context: RequestContext): Promise<readonly RuleRow[]> => {
    await visibleGroups(deps, context);
    const rows = await deps.db.selectFrom('network_rule').selectAll().execute();
    return rows.filter((row) => isPrivileged(context) || row.project_id === context.projectId);
  };
  const find = async (context: RequestContext, id: string): Promise<RuleRow> => {
    const row = (await visible(context)).find((each) => each.id === id);
    if (row === undefined)
      throw neutronError('SecurityGroupRuleNotFound', `Security group rule ${id} does not exist`);
    return row;
  };

  app.get('/v2.0/security-group-rules', async (request) => {
    const rows = await visible(await deps.authenticate(request));
    return listBody(
      'security_group_rules',
      `${deps.base()}/security-group-rules`,
      rows.map(ruleBody),
      request.query,
    );
  });

  app.get<Params>('/v2.0/security-group-rules/:id', async (request) => {
    const row = await find(await deps.authenticate(request), request.params.id);
    return { security_group_rule: project(ruleBody(row), request.query) };
  });

  app.post('/v2.0/security-group-rules', async (request, reply) => {
    const context = await deps.authenticate(request);
    const wanted = parseOneOrMany(RuleFields, 'security_group_rule', 'security_group_rules', request.body);
    const rows = await deps.db.transaction().execute(async (trx) => {
      const made: RuleRow[] = [];
      for (const fields of wanted.items) made.push(await createRule(trx, context, fields));
      return made;
    });
    return reply.code(201).send(wanted.wrap(rows.map(ruleBody)));
  });

  app.delete<Params>('/v2.0/security-group-rules/:id', async (request, reply) => {
    const row = await find(await deps.authenticate(request), request.params.id);
    await deps.db.deleteFrom('network_rule').where('id', '=', row.id).execute();
    return reply.code(204).send();
  });
}

/** `/v2.0/security-groups` and `/v2.0/security-group-rules` */
export function registerSecurityGroupRoutes(app: FastifyInstance, deps: NetworkDeps): void {
  registerGroups(app, deps);
  registerRules(app, deps);
}
