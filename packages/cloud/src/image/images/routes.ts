import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { nextSearch } from '../../kernel/collection.js';
import { conflict, forbidden, notFound } from '../../kernel/errors.js';
import type { RequestContext } from '../../kernel/service.js';
import { parse } from '../../kernel/validate.js';
import type { ImageDeps } from '../deps.js';
import type { ImageRow, ImageStatus } from '../tables.js';
import { mayChange, visibleImage } from './access.js';
import { withField } from './fields.js';
import { listImages } from './list.js';
import { applyChanges, parsePatch } from './patch.js';
import { complete, type FullImage, imageBody, writeExtras } from './store.js';

type Params = { Params: { id: string } };
const CreateBody = z.looseObject({ id: z.uuid().optional() });

function rowOf(image: FullImage): ImageRow {
  const { properties: _properties, tags: _tags, ...row } = image;
  return row;
}

async function create(deps: ImageDeps, context: RequestContext, body: unknown): Promise<FullImage> {
  const { id, ...fields } = parse(CreateBody, body);
  if (context.projectId === '') throw forbidden('An image needs an owner: ask with a token of a project.');
  const now = new Date().toISOString();
  let image: FullImage = {
    id: id?.toLowerCase() ?? randomUUID(),
    name: null,
    owner: context.projectId,
    status: 'queued',
    visibility: 'shared',
    protected: 0,
    os_hidden: 0,
    disk_format: null,
    container_format: null,
    min_disk: 0,
    min_ram: 0,
    size: null,
    checksum: null,
    os_hash_algo: null,
    os_hash_value: null,
    created_at: now,
    updated_at: now,
    properties: {},
    tags: [],
  };
  for (const [name, value] of Object.entries(fields)) {
    // Clients send null for what they leave open.
    if (value !== null) image = withField(context, image, name, value);
  }
  await deps.db.transaction().execute(async (trx) => {
    const same = await trx
      .selectFrom('image_image')
      .select('id')
      .where('id', '=', image.id)
      .executeTakeFirst();
    if (same !== undefined) throw conflict(`Image ID ${image.id} already exists!`);
    await trx.insertInto('image_image').values(rowOf(image)).execute();
    await writeExtras(trx, image);
  });
  return image;
}

/** Reads, changes and writes an image in one transaction. */
async function change(
  deps: ImageDeps,
  context: RequestContext,
  id: string,
  edit: (image: FullImage) => FullImage,
): Promise<FullImage> {
  const { id: known } = await visibleImage(deps.db, context, id);
  return deps.db.transaction().execute(async (trx) => {
    const rows = await trx.selectFrom('image_image').selectAll().where('id', '=', known).execute();
    const [old] = await complete(trx, rows);
    if (old === undefined) throw notFound(`No image found with ID ${id}`);
    mayChange(context, old, 'change');
    const image = { ...edit(old), updated_at: new Date().toISOString() };
    await trx.updateTable('image_image').set(rowOf(image)).where('id', '=', known).execute();
    await writeExtras(trx, image);
    return image;
  });
}

async function remove(deps: ImageDeps, context: RequestContext, id: string): Promise<void> {
  const image = await visibleImage(deps.db, context, id);
  mayChange(context, image, 'delete');
  if (image.protected === 1) throw forbidden(`Image ${image.id} is protected and cannot be deleted.`);
  await deps.db.transaction().execute(async (trx) => {
    const deleted = { status: 'deleted', updated_at: new Date().toISOString() } as const;
    await trx.updateTable('image_image').set(deleted).where('id', '=', image.id).execute();
    for (const table of ['image_property', 'image_tag', 'image_member'] as const) {
      await trx.deleteFrom(table).where('image_id', '=', image.id).execute();
    }
  });
  await deps.files.remove(image.id);
}

/** Between active and deactivated; done already is done. */
function registerAction(app: FastifyInstance, deps: ImageDeps, action: string, to: ImageStatus): void {
  app.post<Params>(`/v2/images/:id/actions/${action}`, async (request, reply) => {
    await change(deps, await deps.authenticate(request), request.params.id, (image) => {
      if (image.status !== 'active' && image.status !== 'deactivated') {
        throw forbidden(`Not allowed to ${action} image in status '${image.status}'`);
      }
      return { ...image, status: to };
    });
    return reply.code(204).send();
  });
}

function registerTags(app: FastifyInstance, deps: ImageDeps): void {
  type TagParams = { Params: { id: string; tag: string } };
  app.put<TagParams>('/v2/images/:id/tags/:tag', async (request, reply) => {
    const context = await deps.authenticate(request);
    const { id, tag } = request.params;
    await change(deps, context, id, (image) =>
      withField(context, image, 'tags', [...new Set([...image.tags, tag])]),
    );
    return reply.code(204).send();
  });
  app.delete<TagParams>('/v2/images/:id/tags/:tag', async (request, reply) => {
    const { id, tag } = request.params;
    await change(deps, await deps.authenticate(request), id, (image) => ({
      ...image,
      tags: image.tags.filter((each) => each !== tag),
    }));
    return reply.code(204).send();
  });
}

/** `/v2/images` and what is done to an image beside its data. */
export function registerImageRoutes(app: FastifyInstance, deps: ImageDeps): void {
  app.get('/v2/images', async (request) => {
    const { query } = request;
    const { items, more } = await listImages(deps, await deps.authenticate(request), query);
    const link = (marker?: string): string => {
      const search = nextSearch(query, marker);
      return search === '' ? '/v2/images' : `/v2/images?${search}`;
    };
    const last = items.at(-1);
    return {
      images: items.map(imageBody),
      first: link(),
      ...(more && last !== undefined ? { next: link(last.id) } : {}),
      schema: '/v2/schemas/images',
    };
  });

  app.post('/v2/images', async (request, reply) => {
    const image = await create(deps, await deps.authenticate(request), request.body);
    return reply.code(201).header('Location', `/v2/images/${image.id}`).send(imageBody(image));
  });

  app.get<Params>('/v2/images/:id', async (request) => {
    const row = await visibleImage(deps.db, await deps.authenticate(request), request.params.id);
    return imageBody((await complete(deps.db, [row]))[0] ?? { ...row, properties: {}, tags: [] });
  });

  app.patch<Params>('/v2/images/:id', async (request) => {
    const context = await deps.authenticate(request);
    const changes = parsePatch(String(request.headers['content-type']), request.body);
    return imageBody(
      await change(deps, context, request.params.id, (image) => applyChanges(context, image, changes)),
    );
  });

  app.delete<Params>('/v2/images/:id', async (request, reply) => {
    await remove(deps, await deps.authenticate(request), request.params.id);
    return reply.code(204).send();
  });

  registerTags(app, deps);
  registerAction(app, deps, 'deactivate', 'deactivated');
  registerAction(app, deps, 'reactivate', 'active');
}
