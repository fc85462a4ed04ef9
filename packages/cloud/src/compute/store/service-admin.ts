import type { Updateable } from 'kysely';
import { flag } from './columns.js';
import type { ServiceView } from './service-store.js';
import type { ComputeDatabase, ComputeTables } from './tables.js';

/** What an administrator changes of a service. */
export interface ServiceChange {
  readonly disabled?: boolean;
  readonly disabledReason?: string | null;
  readonly forcedDown?: boolean;
}

export async function changeService(db: ComputeDatabase, uuid: string, change: ServiceChange): Promise<void> {
  const update: Updateable<ComputeTables['compute_service']> = {
    ...(change.disabled === undefined ? {} : { disabled: flag(change.disabled) }),
    ...(change.disabledReason === undefined ? {} : { disabled_reason: change.disabledReason }),
    ...(change.forcedDown === undefined ? {} : { forced_down: flag(change.forcedDown) }),
  };
  if (Object.keys(update).length === 0) return;
  await db.updateTable('compute_service').set(update).where('uuid', '=', uuid).execute();
}

export async function hostsInstances(db: ComputeDatabase, host: string): Promise<boolean> {
  const row = await db
    .selectFrom('compute_instance')
    .select('id')
    .where('host', '=', host)
    .where('deleted', '=', 0)
    .executeTakeFirst();
  return row !== undefined;
}

/** With its compute node. A service that still runs registers again at its next start. */
export async function deleteService(db: ComputeDatabase, service: ServiceView): Promise<void> {
  await db.transaction().execute(async (trx) => {
    if (service.nodeUuid !== null)
      await trx.deleteFrom('compute_node').where('uuid', '=', service.nodeUuid).execute();
    await trx.deleteFrom('compute_service').where('uuid', '=', service.uuid).execute();
  });
}
