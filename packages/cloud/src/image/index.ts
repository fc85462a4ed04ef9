import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { type Failure, installErrorHandler, notFound, type RenderedFailure } from '../kernel/errors.js';
import type { CloudKernel, CloudService } from '../kernel/service.js';
import { ImageFiles } from './data/files.js';
import { registerDataRoutes } from './data/routes.js';
import type { ImageDeps } from './deps.js';
import { registerImageRoutes } from './images/routes.js';
import { registerMemberRoutes } from './members/routes.js';
import { imageMigrations } from './migrations.js';
import { imageSchema, imagesSchema, memberSchema, membersSchema } from './schema.js';
import type { ImageTables } from './tables.js';

export interface ImageOptions {
  /** Largest image, bytes; glance-api.conf `image_size_cap`. Default 1 TiB. */
  readonly maxImageSize?: number;
}

const DEFAULT_MAX_SIZE = 2 ** 40;
/** Versions of Image API v2 up to the one served. */
const LATEST_MINOR = 9;

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** Glance answers errors as HTML, whose text its clients show. */
function glanceFailure({ status, title, message }: Failure): RenderedFailure {
  const heading = `${status} ${title}`;
  const body = [
    '<html>',
    ' <head>',
    `  <title>${heading}</title>`,
    ' </head>',
    ' <body>',
    `  <h1>${heading}</h1>`,
    `  ${escape(message)}<br /><br />`,
    '',
    '',
    ' </body>',
    '</html>',
  ];
  return { body: body.join('\n'), contentType: 'text/html; charset=UTF-8' };
}

function registerDiscovery(app: FastifyInstance, kernel: CloudKernel): void {
  const versions = (): unknown => ({
    versions: Array.from({ length: LATEST_MINOR + 1 }, (_, at) => ({
      id: `v2.${LATEST_MINOR - at}`,
      status: at === 0 ? 'CURRENT' : 'SUPPORTED',
      links: [{ rel: 'self', href: `${kernel.publicUrl()}/image/v2/` }],
    })),
  });
  app.get('/', async (_request, reply) => reply.code(300).send(versions()));
  app.get('/v2', async (_request, reply) => reply.code(300).send(versions()));
  app.get('/versions', async () => versions());
}

function registerInfo(app: FastifyInstance, deps: ImageDeps): void {
  const schemas = { image: imageSchema, images: imagesSchema, member: memberSchema, members: membersSchema };
  for (const [name, schema] of Object.entries(schemas)) {
    app.get(`/v2/schemas/${name}`, async (request) => {
      await deps.authenticate(request);
      return schema;
    });
  }
  app.get('/v2/info/import', async (request) => {
    await deps.authenticate(request);
    return { 'import-methods': { description: 'Import methods available.', type: 'array', value: [] } };
  });
  app.get('/v2/info/stores', async (request) => {
    await deps.authenticate(request);
    throw notFound('Multi backend is not supported at this site.');
  });
}

/** A process that was killed while data came in left 'saving' and files that belong to no image. */
async function recover(deps: ImageDeps): Promise<void> {
  const reset = await deps.db
    .updateTable('image_image')
    .set({ status: 'queued' })
    .where('status', '=', 'saving')
    .executeTakeFirst();
  const rows = await deps.db
    .selectFrom('image_image')
    .select('id')
    .where('status', 'in', ['active', 'deactivated'])
    .execute();
  const strays = await deps.files.removeStrays(new Set(rows.map((row) => row.id)));
  if (reset.numUpdatedRows > 0n || strays.length > 0) {
    deps.log.info(
      { interrupted: Number(reset.numUpdatedRows), strays },
      'unfinished uploads were cleared away',
    );
  }
}

/** Glance v2. The data of images is in `images/` of the state folder. */
export function createImageService(kernel: CloudKernel, options: ImageOptions = {}): CloudService {
  const deps: ImageDeps = {
    db: kernel.db.withTables<ImageTables>(),
    files: new ImageFiles(join(kernel.stateDir, 'images'), options.maxImageSize ?? DEFAULT_MAX_SIZE),
    log: kernel.log.child({ part: 'image' }),
    authenticate: (request) => kernel.authenticate(request),
  };
  return {
    type: 'image',
    name: 'glance',
    path: '/image',
    endpoint: '/image',
    migrations: imageMigrations,
    prepare: () => recover(deps),
    async register(app: FastifyInstance): Promise<void> {
      installErrorHandler(app, glanceFailure, () => `${kernel.publicUrl()}/identity`);
      registerDiscovery(app, kernel);
      registerInfo(app, deps);
      registerImageRoutes(app, deps);
      registerDataRoutes(app, deps);
      registerMemberRoutes(app, deps);
    },
  };
}
