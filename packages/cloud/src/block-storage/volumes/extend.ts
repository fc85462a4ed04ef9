import { z } from 'zod';
import { parse } from '../../kernel/validate.js';
import { integer } from '../api/values.js';
import { invalidInput, invalidVolume } from '../errors.js';
import { writeWork } from '../manager/work.js';
import { checkQuota } from '../quotas/store.js';
import { typeOf } from '../types/store.js';
import type { Action } from './actions.js';
import { changeVolume } from './store.js';

const BODY = z.object({ new_size: integer(1) });

/**
 * `os-extend`. Of a volume in use from 3.42 on, where its back end can do that: one that cannot says so, before anything is touched
 * (Cinder's scheduler finds that out later, and leaves the same volume with the same status).
 */
export const extend: Action = async (cinder, call, volume, value) => {
  const { new_size: newSizeGb } = parse(BODY, value);
  const attached = call.version >= 42 && volume.status === 'in-use';
  const expected = attached ? 'in-use' : 'available';
  if (volume.status !== expected) {
    throw invalidVolume(
      `Volume ${volume.id} status must be '{'status': '${expected}'}' to extend, currently ${volume.status}.`,
    );
  }
  if (newSizeGb <= volume.size) {
    throw invalidInput(
      `New size for extend must be greater than current size. (current: ${volume.size}, extended: ${newSizeGb}).`,
    );
  }
  const refusal = attached ? cinder.backends.of(volume).onlineExtendRefusal : null;
  if (refusal !== null) throw invalidVolume(refusal);
  const type = await typeOf(cinder.db, volume.volume_type_id);
  await cinder.db.transaction().execute(async (trx) => {
    const { project_id: projectId } = volume;
    const growth = {
      projectId,
      typeName: type.name,
      sizeGb: newSizeGb - volume.size,
      volumeSizeGb: newSizeGb,
    };
    await checkQuota(trx, growth);
    const work = writeWork({ kind: 'extend', newSizeGb, previous: volume.status });
    if (!(await changeVolume(trx, volume.id, [expected], { status: 'extending', work })))
      throw invalidVolume(`Volume ${volume.id} status must be '${expected}' to extend.`);
  });
  cinder.manager.workOn(volume.id);
};
