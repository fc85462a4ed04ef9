import { z } from 'zod';
import { badRequest, forbidden, notFound } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import type { Call, Route } from '../api/call.js';
import { metadata, MAX_TAGS, tag } from '../api/values.js';
import type { Nova } from '../deps.js';
import { readStrings, readTags } from '../store/columns.js';
import { liveRow } from '../store/instance-store.js';
import { limitsOf } from '../store/quotas.js';
import { findServer } from './find.js';
import { checkLock, checkState, STATE_RULES } from './states.js';

type Metadata = Readonly<Record<string, string>>;

/** Reads, changes and writes in one transaction. */
async function change(nova: Nova, call: Call, compute: (old: Metadata) => Metadata): Promise<Metadata> {
  const server = await findServer(nova, call);
  checkLock(server, call.context);
  checkState(server, STATE_RULES.metadata);
  return nova.db.transaction().execute(async (trx) => {
    const row = await liveRow(trx, server.uuid);
    const next = compute(readStrings(row.metadata, 'metadata of an instance'));
    const limit = (await limitsOf(trx, server.projectId, nova.config)).metadata_items;
    if (limit >= 0 && Object.keys(next).length > limit) {
      throw forbidden(`Maximum number of metadata items exceeds ${limit}`);
    }
    await trx
      .updateTable('compute_instance')
      .set({ metadata: JSON.stringify(next), updated_at: nova.now().toISOString() })
      .where('uuid', '=', server.uuid)
      .execute();
    return next;
  });
}

const ALL = z.strictObject({ metadata });
const ONE = z.strictObject({ meta: metadata });
const keyOf = (call: Call): string => call.params['key'] ?? '';
/** Only what the server has itself: `constructor` and the like are no items. */
const itemOf = (items: Metadata, key: string): string | undefined =>
  Object.hasOwn(items, key) ? items[key] : undefined;
const noItem = (): Error => notFound('Metadata item was not found');

async function showOne(nova: Nova, call: Call): Promise<object> {
  const value = itemOf((await findServer(nova, call)).metadata, keyOf(call));
  if (value === undefined) throw noItem();
  return { meta: { [keyOf(call)]: value } };
}

async function setOne(nova: Nova, call: Call): Promise<object> {
  const { meta } = parse(ONE, call.body);
  const value = itemOf(meta, keyOf(call));
  if (value === undefined || Object.keys(meta).length !== 1)
    throw badRequest('Request body and URI mismatch');
  await change(nova, call, (old) => ({ ...old, [keyOf(call)]: value }));
  return { meta };
}

async function removeOne(nova: Nova, call: Call): Promise<void> {
  await change(nova, call, (old) => {
    if (itemOf(old, keyOf(call)) === undefined) throw noItem();
    return Object.fromEntries(Object.entries(old).filter(([key]) => key !== keyOf(call)));
  });
}

/** Tags came with 2.26. */
async function changeTags(
  nova: Nova,
  call: Call,
  compute: (old: readonly string[]) => readonly string[],
): Promise<readonly string[]> {
  const server = await findServer(nova, call);
  checkLock(server, call.context);
  return nova.db.transaction().execute(async (trx) => {
    const tags = compute(readTags((await liveRow(trx, server.uuid)).tags));
    if (tags.length > MAX_TAGS)
      throw badRequest(`The number of tags exceeded the per-server limit ${MAX_TAGS}`);
    await trx
      .updateTable('compute_instance')
      .set({ tags: JSON.stringify(tags), updated_at: nova.now().toISOString() })
      .where('uuid', '=', server.uuid)
      .execute();
    return tags;
  });
}

const TAGS = z.strictObject({ tags: z.array(tag).max(MAX_TAGS) });
const tagOf = (call: Call): string => parse(tag, call.params['tag']);

function noTag(call: Call): Error {
  return notFound(`Server ${call.params['id']} has no tag '${call.params['tag']}'`);
}

async function addTag(nova: Nova, call: Call): Promise<void> {
  const wanted = tagOf(call);
  let added = false;
  await changeTags(nova, call, (old) => {
    added = !old.includes(wanted);
    return added ? [...old, wanted] : old;
  });
  call.reply.code(added ? 201 : 204);
}

function registerTags(route: Route, nova: Nova): void {
  const base = '/servers/:id/tags';
  const since = 26;
  route('GET', base, async (call) => ({ tags: (await findServer(nova, call)).tags }), { since });
  route(
    'PUT',
    base,
    async (call) => {
      const { tags } = parse(TAGS, call.body);
      return { tags: await changeTags(nova, call, () => [...new Set(tags)]) };
    },
    { since },
  );
  route('DELETE', base, async (call) => void (await changeTags(nova, call, () => [])), {
    since,
    status: 204,
  });
  route('PUT', `${base}/:tag`, (call) => addTag(nova, call), { since, status: 201 });
  route(
    'GET',
    `${base}/:tag`,
    async (call) => {
      if (!(await findServer(nova, call)).tags.includes(tagOf(call))) throw noTag(call);
    },
    { since, status: 204 },
  );
  route(
    'DELETE',
    `${base}/:tag`,
    async (call) => {
      await changeTags(nova, call, (old) => {
        if (!old.includes(tagOf(call))) throw noTag(call);
        return old.filter((one) => one !== tagOf(call));
      });
    },
    { since, status: 204 },
  );
}

export function registerServerMetadata(route: Route, nova: Nova): void {
  const base = '/servers/:id/metadata';
  route('GET', base, async (call) => ({ metadata: (await findServer(nova, call)).metadata }));
  route('POST', base, async (call) => {
    const added = parse(ALL, call.body).metadata;
    return { metadata: await change(nova, call, (old) => ({ ...old, ...added })) };
  });
  route('PUT', base, async (call) => {
    const replaced = parse(ALL, call.body).metadata;
    return { metadata: await change(nova, call, () => replaced) };
  });
  route('GET', `${base}/:key`, (call) => showOne(nova, call));
  route('PUT', `${base}/:key`, (call) => setOne(nova, call));
  route('DELETE', `${base}/:key`, (call) => removeOne(nova, call), { status: 204 });
  registerTags(route, nova);
}
