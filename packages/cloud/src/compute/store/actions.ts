import type { Selectable, Transaction } from 'kysely';
import type { ComputeDatabase, ComputeTables } from './tables.js';

export type ActionRow = Selectable<ComputeTables['compute_action']>;
export type ActionEventRow = Selectable<ComputeTables['compute_action_event']>;

type Executor = ComputeDatabase | Transaction<ComputeTables>;

/** What a user asked of an instance; `requestId` is how the user finds it. */
export interface NewAction {
  readonly instanceUuid: string;
  readonly requestId: string;
  readonly userId: string;
  readonly projectId: string;
  /** nova/compute/instance_actions.py: `create`, `stop`, … */
  readonly action: string;
}

export async function recordAction(db: Executor, action: NewAction): Promise<void> {
  const now = new Date().toISOString();
  await db
    .insertInto('compute_action')
    .values({
      instance_uuid: action.instanceUuid,
      request_id: action.requestId,
      action: action.action,
      user_id: action.userId,
      project_id: action.projectId,
      start_time: now,
      updated_at: now,
      message: null,
    })
    .execute();
}

/** Newest first. */
export async function actionsOf(db: Executor, uuid: string): Promise<readonly ActionRow[]> {
  return db
    .selectFrom('compute_action')
    .selectAll()
    .where('instance_uuid', '=', uuid)
    .orderBy('id', 'desc')
    .execute();
}

export async function actionOf(
  db: Executor,
  uuid: string,
  requestId: string,
): Promise<ActionRow | undefined> {
  return db
    .selectFrom('compute_action')
    .selectAll()
    .where('instance_uuid', '=', uuid)
    .where('request_id', '=', requestId)
    .orderBy('id', 'desc')
    .executeTakeFirst();
}

/** Newest first, as Nova. */
export async function eventsOf(db: Executor, actionId: number): Promise<readonly ActionEventRow[]> {
  return db
    .selectFrom('compute_action_event')
    .selectAll()
    .where('action_id', '=', actionId)
    .orderBy('id', 'desc')
    .execute();
}

/** Marks an action failed, as Nova does: the message is the word `Error`, what went wrong is in events and faults. */
export async function failAction(db: Executor, uuid: string, requestId: string): Promise<void> {
  const action = await actionOf(db, uuid, requestId);
  if (action === undefined) return;
  await db
    .updateTable('compute_action')
    .set({ message: 'Error', updated_at: new Date().toISOString() })
    .where('id', '=', action.id)
    .execute();
}

/** Without an action of that request there is nothing to attach the event to: it is left out, as in Nova's conductor. */
export async function startEvent(
  db: ComputeDatabase,
  uuid: string,
  requestId: string,
  event: string,
  host: string,
): Promise<void> {
  const now = new Date().toISOString();
  await db.transaction().execute(async (trx) => {
    const action = await actionOf(trx, uuid, requestId);
    if (action === undefined) return;
    await trx
      .insertInto('compute_action_event')
      .values({
        action_id: action.id,
        event,
        host,
        start_time: now,
        finish_time: null,
        result: null,
        details: null,
      })
      .execute();
    await trx.updateTable('compute_action').set({ updated_at: now }).where('id', '=', action.id).execute();
  });
}

export async function finishEvent(
  db: ComputeDatabase,
  uuid: string,
  requestId: string,
  event: string,
  error: string | null,
): Promise<void> {
  const now = new Date().toISOString();
  await db.transaction().execute(async (trx) => {
    const action = await actionOf(trx, uuid, requestId);
    if (action === undefined) return;
    const started = await trx
      .selectFrom('compute_action_event')
      .select('id')
      .where('action_id', '=', action.id)
      .where('event', '=', event)
      .where('finish_time', 'is', null)
      .orderBy('id', 'desc')
      .executeTakeFirst();
    if (started === undefined) return;
    await trx
      .updateTable('compute_action_event')
      .set({ finish_time: now, result: error === null ? 'Success' : 'Error', details: error })
      .where('id', '=', started.id)
      .execute();
    const update = error === null ? { updated_at: now } : { updated_at: now, message: 'Error' };
    await trx.updateTable('compute_action').set(update).where('id', '=', action.id).execute();
  });
}
