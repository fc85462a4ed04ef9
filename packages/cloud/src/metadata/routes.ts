import {
  EC2_ROOTS,
  lookUpMetadata,
  MAX_PASSWORD_LENGTH,
  type InstanceRecord,
  type MetadataAnswer,
} from '@nova-hyperv/compute';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { badRequest, notFound, type Failure, type RenderedFailure } from '../kernel/errors.js';
import { callerOf } from './caller.js';
import type { MetadataInstances } from './instances.js';

export interface MetadataDeps {
  readonly instances: MetadataInstances;
  readonly secret: () => string;
}

/** First parts of the paths that are served; the rest of the cloud's paths are its own. */
const ROOTS = ['openstack', 'ec2', ...EC2_ROOTS];
/** Guests post a password and nothing else; what is larger than it may be is told so. */
const BODY_LIMIT = 64 * 1024;
const TYPES = { json: 'application/json', text: 'text/plain; charset=UTF-8' } as const;

/** Nova answers here in plain text. */
export function metadataFailure({ status, title, message }: Failure): RenderedFailure {
  const text = status >= 500 ? 'An unknown error has occurred. Please try your request again.' : message;
  return { body: `${status} ${title}\n\n${text}\n`, contentType: TYPES.text };
}

export function registerMetadataRoutes(app: FastifyInstance, deps: MetadataDeps): void {
  // Guests post with any type, and with none.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: BODY_LIMIT }, (_request, body, done) =>
    done(null, body),
  );
  for (const root of ROOTS) {
    for (const url of [`/${root}`, `/${root}/*`]) {
      app.route({
        method: ['GET', 'POST', 'PUT', 'DELETE'],
        url,
        handler: (request, reply) => serve(deps, request, reply),
      });
    }
  }
}

async function serve(
  deps: MetadataDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const record = await deps.instances.find(callerOf(request.headers, deps.secret()));
  const path = pathOf(request.url);
  const answer =
    record && path !== undefined ? lookUpMetadata(await deps.instances.describe(record), path) : undefined;
  if (record === undefined || answer === undefined) throw notFound('The resource could not be found.');
  if (answer.kind === 'password') return password(deps, request, reply, record, answer);
  return reply.type(TYPES[answer.kind]).send(answer.body);
}

/** Undefined for one that is no text. */
function pathOf(url: string): string | undefined {
  try {
    return decodeURIComponent(url.split('?', 1)[0] ?? '');
  } catch {
    return undefined;
  }
}

/** Source: nova/api/metadata/password.py, handle_password. */
async function password(
  { instances }: MetadataDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  record: InstanceRecord,
  { posted }: Extract<MetadataAnswer, { kind: 'password' }>,
): Promise<FastifyReply> {
  if (request.method === 'GET' || request.method === 'HEAD') return reply.type(TYPES.text).send(posted);
  if (request.method !== 'POST') throw badRequest('GET and POST only are supported.');
  const body = Buffer.isBuffer(request.body) ? request.body.toString() : '';
  if (body.length > MAX_PASSWORD_LENGTH) throw badRequest('Request is too large.');
  await instances.postPassword(record, body);
  return reply.type(TYPES.text).send('');
}
