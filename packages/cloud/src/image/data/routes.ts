import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ApiError, conflict, forbidden, notFound } from '../../kernel/errors.js';
import type { ImageDeps } from '../deps.js';
import { mayChange, visibleImage } from '../images/access.js';
import type { ImageRow } from '../tables.js';

type Params = { Params: { id: string } };

/** Takes the image from queued to saving, so that only one upload runs. @throws ApiError 409 */
async function claim(deps: ImageDeps, image: ImageRow): Promise<void> {
  if (image.disk_format === null || image.container_format === null) {
    throw new ApiError(400, 'Properties disk_format, container_format must be set prior to saving data.');
  }
  const claimed = await deps.db
    .updateTable('image_image')
    .set({ status: 'saving' })
    .where('id', '=', image.id)
    .where('status', '=', 'queued')
    .executeTakeFirst();
  if (claimed.numUpdatedRows === 1n) return;
  throw conflict(`Image status transition from ${image.status} to saving is not allowed`);
}

async function upload(deps: ImageDeps, request: FastifyRequest, image: ImageRow): Promise<void> {
  await claim(deps, image);
  try {
    const stored = await deps.files.write(image.id, request.raw);
    const done = await deps.db
      .updateTable('image_image')
      .set({
        status: 'active',
        size: stored.size,
        checksum: stored.md5,
        os_hash_algo: 'sha512',
        os_hash_value: stored.sha512,
        updated_at: new Date().toISOString(),
      })
      .where('id', '=', image.id)
      .where('status', '=', 'saving')
      .executeTakeFirst();
    if (done.numUpdatedRows === 1n) return;
  } catch (error) {
    await deps.db
      .updateTable('image_image')
      .set({ status: 'queued' })
      .where('id', '=', image.id)
      .where('status', '=', 'saving')
      .execute();
    throw error;
  }
  // It was deleted while its data came in.
  await deps.files.remove(image.id);
  throw new ApiError(
    410,
    `Image ${image.id} could not be found after upload. The image may have been deleted during the upload.`,
  );
}

/** `bytes=0-99`, `bytes=100-`, `bytes=-100` of so many bytes. @throws ApiError 416 */
export function parseRange(header: string, size: number): { readonly start: number; readonly end: number } {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header.trim());
  const [, from = '', to = ''] = match ?? [];
  const start = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  const end = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (match === null || (from === '' && to === '') || start > end || start >= size) {
    throw new ApiError(416, `The byte range ${header} is not within the image.`, {
      headers: { 'Content-Range': `bytes */${size}` },
    });
  }
  return { start, end };
}

async function download(
  deps: ImageDeps,
  request: FastifyRequest<Params>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const context = await deps.authenticate(request);
  const image = await visibleImage(deps.db, context, request.params.id);
  if (image.status === 'deactivated' && !context.isAdmin) {
    throw forbidden('The requested image has been deactivated. Image data download is forbidden.');
  }
  if (image.status === 'queued' || image.status === 'saving') return reply.code(204).send();
  const size = await deps.files.size(image.id);
  if (size === undefined || size !== image.size)
    throw notFound('The data of the image cannot be found in its store.');
  reply.type('application/octet-stream').header('Accept-Ranges', 'bytes');
  const range = request.headers.range;
  if (range !== undefined && size > 0) {
    const { start, end } = parseRange(range, size);
    reply
      .code(206)
      .header('Content-Range', `bytes ${start}-${end}/${size}`)
      .header('Content-Length', end - start + 1);
    return reply.send(deps.files.read(image.id, start, end));
  }
  if (image.checksum !== null) reply.header('Content-MD5', image.checksum);
  reply.header('Content-Length', size);
  return size === 0 ? reply.send(Buffer.alloc(0)) : reply.send(deps.files.read(image.id, 0, size - 1));
}

/** `/v2/images/{id}/file` */
export function registerDataRoutes(app: FastifyInstance, deps: ImageDeps): void {
  app.put<Params>('/v2/images/:id/file', async (request, reply) => {
    const context = await deps.authenticate(request);
    if (!String(request.headers['content-type']).startsWith('application/octet-stream')) {
      throw new ApiError(415, 'Image data is uploaded as application/octet-stream.');
    }
    const image = await visibleImage(deps.db, context, request.params.id);
    mayChange(context, image, 'upload data to');
    try {
      await upload(deps, request, image);
    } catch (error) {
      if (error instanceof ApiError || !request.raw.readableAborted) throw error;
      throw new ApiError(400, 'The upload ended before all of its data had come.', { cause: error });
    }
    return reply.code(204).send();
  });

  // HEAD would read the whole file to throw it away.
  app.get<Params>('/v2/images/:id/file', { exposeHeadRoute: false }, (request, reply) =>
    download(deps, request, reply),
  );
}
