import { STATUS_CODES } from 'node:http';
import { isConstraintViolation } from './sqlite.js';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/**
 * A refusal that a client reads. The service whose route threw it gives it its own JSON shape.
 * `type` is what that service's clients match on where it has such a thing: Neutron's exception name
 * (`NetworkNotFound`), Placement's error code (`placement.concurrent_update`).
 */
export class ApiError extends Error {
  readonly code: string;
  readonly status: number;
  readonly type: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  constructor(
    status: number,
    message: string,
    fields: { type?: string; headers?: Readonly<Record<string, string>>; cause?: unknown } = {},
  ) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.name = 'ApiError';
    this.status = status;
    this.code = fields.type ?? `HTTP_${status}`;
    this.type = fields.type;
    this.headers = fields.headers ?? {};
  }
}

export const badRequest = (message: string): ApiError => new ApiError(400, message);
export const forbidden = (message: string): ApiError => new ApiError(403, message);
export const notFound = (message: string): ApiError => new ApiError(404, message);
export const conflict = (message: string): ApiError => new ApiError(409, message);

/** What an error renderer is given: an error with its HTTP status and reason phrase, secrets and internals left out. */
export interface Failure {
  readonly status: number;
  /** `Not Found` */
  readonly title: string;
  readonly message: string;
  readonly type: string | undefined;
  readonly requestId: string;
}

export interface RenderedFailure {
  readonly body: unknown;
  readonly contentType?: string;
}

const UNEXPECTED = 'An unexpected error prevented the server from fulfilling your request.';

/** Keystone's and keystonemiddleware's shape: also what every service answers to a request without a valid token. */
export function keystoneFailure(failure: Failure): RenderedFailure {
  return { body: { error: { code: failure.status, message: failure.message, title: failure.title } } };
}

function toFailure(error: unknown, request: FastifyRequest): Failure {
  const requestId = request.id;
  const build = (status: number, message: string, type?: string): Failure => ({
    status,
    title: STATUS_CODES[status] ?? 'Error',
    message,
    type,
    requestId,
  });
  if (error instanceof ApiError) return build(error.status, error.message, error.type);
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  if (error instanceof Error && typeof status === 'number' && status >= 400 && status < 500) {
    return build(status, error.message);
  }
  if (isConstraintViolation(error)) {
    return build(409, 'The request conflicts with another one, or with what is there already.');
  }
  request.log.error({ err: error, requestId }, 'request failed');
  return build(500, UNEXPECTED);
}

function send(reply: FastifyReply, failure: Failure, rendered: RenderedFailure): FastifyReply {
  reply.code(failure.status);
  if (rendered.contentType !== undefined) reply.type(rendered.contentType);
  return reply.send(rendered.body);
}

/**
 * Errors of the routes of `app` (and what is registered in it) are answered in the service's own shape; 401 always
 * is keystonemiddleware's, with the WWW-Authenticate header clients look for. Unknown errors are logged
 * and answered 500 without their text.
 */
export function installErrorHandler(
  app: FastifyInstance,
  render: (failure: Failure) => RenderedFailure,
  identityUrl: () => string,
): void {
  answerErrors(app, render, identityUrl);
  app.setNotFoundHandler((request, reply) => {
    const failure = toFailure(notFound('The resource could not be found.'), request);
    return send(reply, failure, render(failure));
  });
}

/** {@link installErrorHandler} for routes that have no prefix of their own: what is not found is another's to tell. */
export function answerErrors(
  app: FastifyInstance,
  render: (failure: Failure) => RenderedFailure,
  identityUrl: () => string,
): void {
  app.setErrorHandler((error, request, reply) => {
    const failure = toFailure(error, request);
    if (error instanceof ApiError) reply.headers(error.headers);
    if (failure.status === 401) {
      reply.header('WWW-Authenticate', `Keystone uri="${identityUrl()}"`);
      return send(reply, failure, keystoneFailure(failure));
    }
    return send(reply, failure, render(failure));
  });
}

/** The 401 of every service for a missing, expired or revoked token. */
export const unauthorized = (message = 'The request you have made requires authentication.'): ApiError =>
  new ApiError(401, message);
