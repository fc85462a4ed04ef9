import { z } from 'zod';
import { integer, boolean, description, metadata, name } from '../api/values.js';

/** Before 3.53 Cinder ignored members that it did not know; clients send `user_id`, `status` and others. */
const FIELDS = z.object({
  name: name.optional(),
  display_name: name.optional(),
  description: description.optional(),
  display_description: description.optional(),
  size: z.unknown().optional(),
  volume_type: z.string().max(255).nullish(),
  metadata: metadata.nullish(),
  snapshot_id: z.string().nullish(),
  source_volid: z.string().nullish(),
  imageRef: z.string().max(255).nullish(),
  image_id: z.string().max(255).nullish(),
  availability_zone: z.string().max(255).nullish(),
  multiattach: boolean.nullish(),
  consistencygroup_id: z.string().nullish(),
  group_id: z.string().nullish(),
  backup_id: z.string().nullish(),
});

export const CREATE = z.object({ volume: FIELDS });
export type CreateFields = z.infer<typeof FIELDS>;

const size = integer(1);

/** Size as asked for, GiB; null when it is left out; undefined when it is no size. */
export function parseSize(value: unknown): number | null | undefined {
  if (value === undefined || value === null || value === '') return null;
  const parsed = size.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}
