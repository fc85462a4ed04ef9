import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import type { Logger } from 'pino';
import { ApiError } from './errors.js';

/** Largest JSON body, bytes: Nova's, whose user data and personality make the largest requests. */
const BODY_LIMIT = 2 * 1024 * 1024;

/** How long a client may take to send a request's headers, and then a body that is read whole, ms. Data of images has its own limit. */
const RECEIVE_MS = 30_000;
/** How often the time of headers is looked at, ms. */
const CHECK_MS = 5_000;

const MAX_CONNECTIONS = 1_000;

/** JSON, and Glance's own JSON types (`application/openstack-images-v2.1-json-patch`). */
const JSON_TYPES = ['application/json', /^application\/openstack-images/];

/**
 * The HTTP application of all services. Every answer has `X-Openstack-Request-Id`. Bodies are JSON, an empty one is none (clients
 * send a content type with bodyless DELETEs and actions); `application/octet-stream` reaches its handler unread, as `request.raw`.
 * Headers and bodies are never logged.
 */
export function createHttpApp(log: Logger, receiveMs = RECEIVE_MS): FastifyInstance {
  const loggerInstance: FastifyBaseLogger = log.child({ part: 'api' });
  const app = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT,
    http: { headersTimeout: receiveMs, connectionsCheckingInterval: Math.min(CHECK_MS, receiveMs) },
    genReqId: () => `req-${randomUUID()}`,
    routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, maxParamLength: 512 },
  });
  // More would take the files' descriptors away from the database and the images.
  app.server.maxConnections = MAX_CONNECTIONS;
  const receiving = new WeakMap<IncomingMessage, NodeJS.Timeout>();
  const parseJson = app.getDefaultJsonParser('error', 'remove');
  app.removeAllContentTypeParsers();
  for (const type of JSON_TYPES) {
    app.addContentTypeParser<string>(type, { parseAs: 'string' }, (request, body, done) => {
      clearTimeout(receiving.get(request.raw));
      if (body.trim() === '') done(null, undefined);
      else void parseJson(request, body, done);
    });
  }
  app.addContentTypeParser('application/octet-stream', (_request, _payload, done) => done(null));
  app.addHook('onRequest', async (request, reply) => {
    reply.header('X-Openstack-Request-Id', request.id);
  });
  // Bodies are read before it is known who sends them: whoever is too slow loses the connection.
  app.addHook('preParsing', async (request) => {
    const { 'content-length': length, 'transfer-encoding': encoding, 'content-type': type } = request.headers;
    if (length === undefined && encoding === undefined) return;
    if (type?.startsWith('application/octet-stream') === true) return;
    const timer = setTimeout(() => {
      if (request.raw.complete) return;
      request.raw.destroy(new ApiError(408, 'The body of the request did not come in time.'));
    }, receiveMs);
    timer.unref();
    receiving.set(request.raw, timer);
  });
  app.addHook('onResponse', async (request) => {
    clearTimeout(receiving.get(request.raw));
  });
  app.addHook('onRequestAbort', async (request) => {
    clearTimeout(receiving.get(request.raw));
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
