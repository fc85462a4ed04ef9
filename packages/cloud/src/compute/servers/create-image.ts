import { z } from 'zod';
import { ApiError, badRequest } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import type { Call } from '../api/call.js';
import type { Nova } from '../deps.js';
import type { ServerRecord } from '../store/records.js';
import { runOperation } from './power.js';
import { STATE_RULES } from './states.js';

const BODY = z.strictObject({
  name: z.string().trim().min(1).max(255),
  metadata: z.record(z.string().min(1).max(255), z.string().max(255)).optional(),
});

/** From here on the answer has a body. nova/api/openstack/compute/servers.py, _action_create_image */
const WITH_BODY = 45;
/** Nova's default of the quota `metadata_items`. */
const MOST_METADATA = 128;

/** Nova's name in an instance's system metadata of what its image said. */
const KEPT = /^image_(.+)$/;
/** What an image does not hand down: Glance's own attributes, and Nova's `[DEFAULT] non_inheritable_image_properties`. */
const NOT_INHERITED: ReadonlySet<string> = new Set([
  'base_image_ref',
  'disk_format',
  'container_format',
  'min_disk',
  'min_ram',
  'cache_in_nova',
  'bittorrent',
  'img_signature_hash_method',
  'img_signature',
  'img_signature_key_type',
  'img_signature_certificate_uuid',
  'os_glance_import_task',
]);

/** The image to be, as Glance takes it: the properties of the one that the server was made from, and where it comes from. */
export function snapshotImage(
  server: ServerRecord,
  userId: string,
  { name, metadata = {} }: z.infer<typeof BODY>,
): Readonly<Record<string, unknown>> {
  const inherited = Object.entries(server.systemMetadata).flatMap(([key, value]) => {
    const property = KEPT.exec(key)?.[1];
    return property === undefined || NOT_INHERITED.has(property) ? [] : [[property, value] as const];
  });
  return {
    ...Object.fromEntries(inherited),
    ...metadata,
    name,
    visibility: 'private',
    min_disk: server.flavor.rootGb,
    min_ram: Number(server.systemMetadata['image_min_ram'] ?? 0),
    image_type: 'snapshot',
    instance_uuid: server.uuid,
    user_id: userId,
    base_image_ref: server.systemMetadata['image_base_image_ref'] ?? server.imageRef,
  };
}

/**
 * `createImage`: answers with the image's id, which gets its data while the server goes on.
 * @throws ApiError 400, 403, 409, 503
 */
export async function createImage(
  nova: Nova,
  call: Call,
  server: ServerRecord,
  body: unknown,
): Promise<unknown> {
  const request = parse(BODY, body);
  if (Object.keys(request.metadata ?? {}).length > MOST_METADATA)
    throw new ApiError(403, `Maximum number of metadata items exceeds ${MOST_METADATA}`);
  if (server.imageRef === '') {
    throw badRequest(
      'Images of servers that boot from a volume are not made by this cloud: make a snapshot of the volume (openstack volume snapshot create --force), or an image of it (openstack image create --volume).',
    );
  }
  const { token } = call;
  let imageId = '';
  await runOperation(nova, call, server, {
    rule: STATE_RULES.createImage,
    action: 'createImage',
    taskState: 'image_snapshot_pending',
    cast: async (compute, cast) => {
      imageId = await nova.images.create(snapshotImage(server, call.context.userId, request), token);
      try {
        await compute.snapshotInstance({ ...cast, imageId });
      } catch (error) {
        await nova.images.delete(imageId, token);
        throw error;
      }
    },
  });
  call.reply.header('location', `${nova.kernel.publicUrl()}/image/v2/images/${imageId}`);
  return call.version >= WITH_BODY ? { image_id: imageId } : undefined;
}
