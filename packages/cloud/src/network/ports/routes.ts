import type { FastifyInstance } from 'fastify';
import { multiple } from '../../kernel/collection.js';
import { parseOne, parseOneOrMany } from '../bulk.js';
import { isPrivileged, type NetworkDeps } from '../deps.js';
import { listBody, project } from '../query.js';
import { completePorts, findPort, type FullPort, portBody } from './store.js';
import { CreatePort, createPort, UpdatePort, updatePort } from './write.js';

type Params = { Params: { id: string } };

/** Filters that the database answers by an index; all others are applied to what it gives. */
const INDEXED = ['id', 'device_id', 'network_id'] as const;

/** `/v2.0/ports` */
export function registerPortRoutes(app: FastifyInstance, deps: NetworkDeps): void {
  app.get('/v2.0/ports', async (request) => {
    const context = await deps.authenticate(request);
    let query = deps.db.selectFrom('network_port').selectAll();
    if (!isPrivileged(context)) query = query.where('project_id', '=', context.projectId);
    for (const column of INDEXED) {
      const given = multiple(request.query, column);
      if (given.length > 0) query = query.where(column, 'in', given);
    }
    const ports = await completePorts(deps.db, await query.execute());
    const bodies = ports.map((port) => portBody(context, port));
    return listBody('ports', `${deps.base()}/ports`, bodies, request.query);
  });

  app.get<Params>('/v2.0/ports/:id', async (request) => {
    const context = await deps.authenticate(request);
    const port = await findPort(deps.db, context, request.params.id);
    return { port: project(portBody(context, port), request.query) };
  });

  app.post('/v2.0/ports', async (request, reply) => {
    const context = await deps.authenticate(request);
    const wanted = parseOneOrMany(CreatePort, 'port', 'ports', request.body);
    const ports = await deps.db.transaction().execute(async (trx) => {
      const made: FullPort[] = [];
      for (const fields of wanted.items) made.push(await createPort(trx, context, fields));
      return made;
    });
    return reply.code(201).send(wanted.wrap(ports.map((port) => portBody(context, port))));
  });

  app.put<Params>('/v2.0/ports/:id', async (request) => {
    const context = await deps.authenticate(request);
    const fields = parseOne(UpdatePort, 'port', request.body);
    const port = await deps.db
      .transaction()
      .execute((trx) => updatePort(trx, context, request.params.id, fields));
    return { port: portBody(context, port) };
  });

  app.delete<Params>('/v2.0/ports/:id', async (request, reply) => {
    const context = await deps.authenticate(request);
    await deps.db.transaction().execute(async (trx) => {
      const { id } = await findPort(trx, context, request.params.id);
      await trx.deleteFrom('network_port').where('id', '=', id).execute();
    });
    return reply.code(204).send();
  });
}
