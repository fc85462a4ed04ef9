import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { parameters, single } from '../../kernel/collection.js';
import { badRequest, forbidden, notFound } from '../../kernel/errors.js';
import type { CloudKernel, RequestContext } from '../../kernel/service.js';
import { announce, negotiate, type Microversion } from './microversion.js';

/** One authenticated request with its microversion. */
export interface Call {
  readonly context: RequestContext;
  /** Minor number: `call.version >= 27`. */
  readonly version: Microversion;
  /** Asks other services as the same user. */
  readonly token: string;
  /** Of the path. */
  param(name: string): string;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
  readonly reply: FastifyReply;
  /** `http://127.0.0.1:8780/volume/v3` */
  readonly baseUrl: string;
}

export type Handler = (call: Call) => Promise<unknown>;
type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

export interface RouteOptions {
  /** Success status; 200 when left out. */
  readonly status?: number;
  /** First microversion that has the route; earlier ones answer 404. */
  readonly since?: Microversion;
  /** Name of Cinder's policy rule; only administrators pass. */
  readonly admin?: string;
}

export type Route = (method: Method, path: string, handler: Handler, options?: RouteOptions) => void;

/** Cinder's 403 unless the caller is an administrator. */
export function requireAdmin(context: RequestContext, rule: string): void {
  if (!context.isAdmin) throw forbidden(`Policy doesn't allow ${rule} to be performed.`);
}

function toCall(request: FastifyRequest, reply: FastifyReply, context: RequestContext, base: string): Call {
  const token = request.headers['x-auth-token'];
  const params = parameters(request.params);
  return {
    context,
    version: negotiate(request),
    token: typeof token === 'string' ? token : '',
    param: (name) => single(params, name) ?? '',
    query: parameters(request.query),
    body: request.body,
    reply,
    baseUrl: base,
  };
}

/**
 * A {@link Route}: authenticates, negotiates the microversion, checks the policy, then calls the handler. From 3.67 on the project need not
 * stand in the path; where it does, it is the caller's.
 */
export function createRoute(app: FastifyInstance, kernel: CloudKernel, baseUrl: () => string): Route {
  return (method, path, handler, options = {}) => {
    app.route({
      method,
      url: path,
      handler: async (request, reply) => {
        const context = await kernel.authenticate(request);
        const call = toCall(request, reply, context, baseUrl());
        announce(reply, call.version);
        if (call.version < (options.since ?? 0)) throw notFound('The resource could not be found.');
        const project = call.param('projectInUrl');
        if (project !== '' && project !== context.projectId) throw badRequest('Malformed request url');
        if (context.projectId === '') throw forbidden('A token of a project is needed.');
        if (options.admin !== undefined) requireAdmin(context, options.admin);
        reply.code(options.status ?? 200);
        return reply.send((await handler(call)) ?? '');
      },
    });
  };
}

export interface Link {
  readonly rel: 'self' | 'bookmark' | 'next';
  readonly href: string;
}

/** `links(call, 'volumes', id)` */
export const links = (call: Call, collection: string, id: string): readonly Link[] => [
  { rel: 'self', href: `${call.baseUrl}/${collection}/${id}` },
  { rel: 'bookmark', href: `${call.baseUrl.replace(/\/v3$/, '')}/${collection}/${id}` },
];

/** `2026-01-31T12:00:00.000000`: Cinder's times; the zone, UTC, is left unsaid. */
export const cinderTime = (iso: string | null): string | null =>
  iso === null ? null : iso.replace('Z', '000');
