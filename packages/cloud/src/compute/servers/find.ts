import { notFound } from '../../kernel/errors.js';
import type { Call } from '../api/call.js';
import type { Nova } from '../deps.js';
import { toServer, type ServerRecord } from '../store/records.js';

/**
 * The server that a path names, if the caller's project owns it or the caller is an administrator.
 * Throws 404 otherwise: a stranger learns nothing.
 */
export async function findServer(
  nova: Nova,
  call: Call,
  options: { deleted?: boolean } = {},
): Promise<ServerRecord> {
  const uuid = call.params['id'] ?? '';
  const row = await nova.db
    .selectFrom('compute_instance')
    .selectAll()
    .where('uuid', '=', uuid)
    .$if(options.deleted !== true, (query) => query.where('deleted', '=', 0))
    .executeTakeFirst();
  if (row === undefined || (row.project_id !== call.context.projectId && !call.context.isAdmin)) {
    throw notFound(`Instance ${uuid} could not be found.`);
  }
  return toServer(row);
}
