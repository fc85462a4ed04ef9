import { z } from 'zod';
import { VOLUME_STATUSES } from '../tables.js';

const status = z.enum(VOLUME_STATUSES);

/**
 * What the volume manager has to do with a volume: stands in its row from the request until it is done, so that a process that is
 * killed takes it up again at its next start.
 */
const WORK = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('create') }),
  z.object({ kind: z.literal('delete'), cascade: z.boolean() }),
  z.object({ kind: z.literal('extend'), newSizeGb: z.number(), previous: status }),
  z.object({ kind: z.literal('upload'), imageId: z.string(), diskFormat: z.string(), previous: status }),
  z.object({ kind: z.literal('retype'), typeId: z.string(), toHost: z.string(), previous: status }),
]);
export type VolumeWork = z.infer<typeof WORK>;

export const readWork = (json: string): VolumeWork => WORK.parse(JSON.parse(json));
export const writeWork = (work: VolumeWork): string => JSON.stringify(work);
