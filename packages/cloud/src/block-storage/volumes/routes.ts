import { z } from 'zod';
import { ApiError, badRequest } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import type { Call, Route } from '../api/call.js';
import { description, metadata, name } from '../api/values.js';
import { nowIso, type Cinder } from '../deps.js';
import { registerVolumeActions } from './actions.js';
import { createVolume } from './create.js';
import { removeVolume } from './delete.js';
import { listVolumes, summarize } from './list.js';
import { registerVolumeMetadata } from './metadata.js';
import { findVolume, refuseMaintenance } from './store.js';
import { viewsOf, volumeDetail, volumeSummary } from './views.js';

const UPDATE = z.object({
  volume: z.object({
    name: name.optional(),
    display_name: name.optional(),
    description: description.optional(),
    display_description: description.optional(),
    metadata: metadata.nullish(),
  }),
});

async function show(cinder: Cinder, call: Call): Promise<object> {
  const volume = await findVolume(cinder.db, call.context, call.param('volume'));
  const [view] = await viewsOf(cinder, [volume]);
  if (view === undefined) throw new ApiError(500, 'The type of the volume is gone.');
  return { volume: volumeDetail(call, view) };
}

async function update(cinder: Cinder, call: Call): Promise<object> {
  const { volume: wanted } = parse(UPDATE, call.body);
  if (call.version >= 53 && Object.keys(wanted).length === 0)
    throw badRequest('Invalid input for Request body: {} does not have enough properties');
  const row = await findVolume(cinder.db, call.context, call.param('volume'));
  refuseMaintenance(row, 'The volume cannot be updated during maintenance.');
  const newName = wanted.name ?? wanted.display_name;
  const newDescription = wanted.description ?? wanted.display_description;
  await cinder.db
    .updateTable('block_storage_volume')
    .set({
      ...(newName === undefined ? {} : { name: newName }),
      ...(newDescription === undefined ? {} : { description: newDescription }),
      ...(wanted.metadata ? { metadata: JSON.stringify(wanted.metadata) } : {}),
      updated_at: nowIso(),
    })
    .where('id', '=', row.id)
    .execute();
  return show(cinder, call);
}

/** `/volumes` */
export function registerVolumes(route: Route, cinder: Cinder): void {
  route('POST', '/volumes', (call) => createVolume(cinder, call), { status: 202 });
  route('GET', '/volumes', (call) => listVolumes(cinder, call, 'volumes', volumeSummary));
  route('GET', '/volumes/detail', (call) => listVolumes(cinder, call, 'volumes/detail', volumeDetail));
  route('GET', '/volumes/summary', (call) => summarize(cinder, call), { since: 12 });
  route('GET', '/volumes/:volume', (call) => show(cinder, call));
  route('PUT', '/volumes/:volume', (call) => update(cinder, call));
  route('DELETE', '/volumes/:volume', (call) => removeVolume(cinder, call), { status: 202 });
  registerVolumeMetadata(route, cinder);
  registerVolumeActions(route, cinder);
}
