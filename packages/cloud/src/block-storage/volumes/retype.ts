import { z } from 'zod';
import { badRequest } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import type { Cinder } from '../deps.js';
import { invalidInput, invalidVolume } from '../errors.js';
import { readTexts } from '../json.js';
import { candidates } from '../manager/create-volume.js';
import { chooseBackend } from '../manager/schedule.js';
import { writeWork } from '../manager/work.js';
import type { TypeRow, VolumeRow } from '../tables.js';
import { findTypeByNameOrId, isEncrypted, isMultiattach, qosOf, typeOf } from '../types/store.js';
import type { Action } from './actions.js';
import { changeVolume } from './store.js';

const BODY = z.object({
  new_type: z.string().min(1).max(255),
  migration_policy: z.enum(['never', 'on-demand']).nullish(),
});

const NEEDS =
  'Retype needs volume to be in available or in-use state, not be part of an active migration or a consistency group, ' +
  'requested type has to be different that the one from the volume, and for in-use volumes front-end qos specs cannot change.';

/** The host it stays on when the new type allows that, else another. @throws ApiError 400 */
async function hostFor(cinder: Cinder, volume: VolumeRow, type: TypeRow, mayMove: boolean): Promise<string> {
  const known = await candidates(cinder.manager.deps);
  const wanted = { sizeGb: volume.size, extraSpecs: readTexts(type.extra_specs) };
  // It has its room already where it is.
  const own = known
    .filter(({ host }) => host === volume.host)
    .map((each) => ({ ...each, provisionedGb: each.provisionedGb - volume.size }));
  const stays = chooseBackend(own, { ...wanted, sizeGb: 0 });
  if (stays.host !== null) return stays.host;
  const moved = chooseBackend(known, wanted);
  if (moved.host === null) throw badRequest(`No valid backend was found. ${moved.reason}`);
  if (!mayMove) {
    throw badRequest(
      `No valid backend was found. The type ${type.name} needs another back end than ${volume.host ?? 'none'}: ` +
        'retype with migration_policy on-demand.',
    );
  }
  if (volume.status !== 'available')
    throw invalidVolume(
      `Volume ${volume.id} is in use and cannot move to another back end: detach it first.`,
    );
  return moved.host;
}

const isFrontEnd = (consumer: string | undefined): boolean => consumer === 'front-end' || consumer === 'both';

/** What limits a server's use of a volume that is attached cannot change. cinder/db, volume_qos_allows_retype */
async function refuseQosChange(cinder: Cinder, volume: VolumeRow, from: TypeRow, to: TypeRow): Promise<void> {
  if (volume.status !== 'in-use' || from.qos_specs_id === to.qos_specs_id) return;
  const consumers = [(await qosOf(cinder.db, from))?.consumer, (await qosOf(cinder.db, to))?.consumer];
  if (consumers.some(isFrontEnd)) throw invalidVolume(NEEDS);
}

/** `os-retype`: another type at the same back end, or, of a volume not in use, by moving it (migration_policy on-demand). */
export const retype: Action = async (cinder, call, volume, value) => {
  const { new_type: newType, migration_policy: policy } = parse(BODY, value);
  const from = await typeOf(cinder.db, volume.volume_type_id);
  const to = await findTypeByNameOrId(cinder.db, call.context, newType);
  if (isMultiattach(from) !== isMultiattach(to) && volume.status !== 'available') {
    throw invalidInput(
      'Invalid volume_type passed, retypes affecting multiattach are only allowed on available volumes, ' +
        `the specified volume however currently has a status of: ${volume.status}.`,
    );
  }
  if (await isEncrypted(cinder.db, to))
    throw invalidInput(`The type ${to.name} asks for encrypted volumes, which this cloud does not make.`);
  if (from.id === to.id || (volume.status !== 'available' && volume.status !== 'in-use'))
    throw invalidVolume(NEEDS);
  await refuseQosChange(cinder, volume, from, to);
  const toHost = await hostFor(cinder, volume, to, policy === 'on-demand');
  const snapshot = await cinder.db
    .selectFrom('block_storage_snapshot')
    .select('id')
    .where('volume_id', '=', volume.id)
    .executeTakeFirst();
  if (toHost !== volume.host && snapshot !== undefined)
    throw invalidVolume(`Volume ${volume.id} has snapshots and cannot move to another back end.`);
  const work = writeWork({ kind: 'retype', typeId: to.id, toHost, previous: volume.status });
  if (!(await changeVolume(cinder.db, volume.id, [volume.status], { status: 'retyping', work })))
    throw invalidVolume(NEEDS);
  cinder.manager.workOn(volume.id);
};
