import { randomUUID } from 'node:crypto';
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import type { Logger } from 'pino';

/** Largest JSON body, bytes: Nova's, whose user data and personality make the largest requests. */
const BODY_LIMIT = 2 * 1024 * 1024;

/** JSON, and Glance's own JSON types (`application/openstack-images-v2.1-json-patch`). */
const JSON_TYPES = ['application/json', /^application\/openstack-images/];

/**
 * The HTTP application of all services. Every answer has `X-Openstack-Request-Id`. Bodies are JSON, an empty one is none (clients
 * send a content type with bodyless DELETEs and actions); `application/octet-stream` reaches its handler unread, as `request.raw`.
 * Headers and bodies are never logged.
 */
export function createHttpApp(log: Logger): FastifyInstance {
  const loggerInstance: FastifyBaseLogger = log.child({ part: 'api' });
  const app = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT,
    genReqId: () => `req-${randomUUID()}`,
    routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, maxParamLength: 512 },
  });
  const parseJson = app.getDefaultJsonParser('error', 'remove');
  app.removeAllContentTypeParsers();
  for (const type of JSON_TYPES) {
    app.addContentTypeParser<string>(type, { parseAs: 'string' }, (request, body, done) => {
      if (body.trim() === '') done(null, undefined);
      else void parseJson(request, body, done);
    });
  }
  app.addContentTypeParser('application/octet-stream', (_request, _payload, done) => done(null));
  app.addHook('onRequest', async (request, reply) => {
    reply.header('X-Openstack-Request-Id', request.id);
  });
  app.addHook('onResponse', async (request, reply) => {
    const fields = {
      method: request.method,
      path: request.url.split('?', 1)[0],
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
      requestId: request.id,
    };
    request.log.debug(fields, 'request');
  });
  return app;
}
