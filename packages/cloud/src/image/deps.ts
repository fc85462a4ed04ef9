import type { FastifyRequest } from 'fastify';
import type { Kysely } from 'kysely';
import type { Logger } from 'pino';
import type { RequestContext } from '../kernel/service.js';
import type { ImageFiles } from './data/files.js';
import type { ImageTables } from './tables.js';

export interface ImageDeps {
  readonly db: Kysely<ImageTables>;
  readonly files: ImageFiles;
  readonly log: Logger;
  readonly authenticate: (request: FastifyRequest) => Promise<RequestContext>;
}
