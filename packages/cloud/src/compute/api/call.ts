import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { badRequest, forbidden, notFound } from '../../kernel/errors.js';
import type { CloudKernel, RequestContext } from '../../kernel/service.js';
import { announce, MIN_MINOR, negotiate, type Microversion } from './microversion.js';

/** One authenticated request with its microversion. */
export interface Call {
  readonly context: RequestContext;
  /** Minor number: `call.version >= 53`. */
  readonly version: Microversion;
  /** Asks other services as the same user. */
  readonly token: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
  readonly reply: FastifyReply;
  /** `http://127.0.0.1:8780/compute/v2.1`: base of `self` links. */
  readonly versionUrl: string;
  /** `http://127.0.0.1:8780/compute`: base of `bookmark` links. */
  readonly rootUrl: string;
  /** Path and query as asked, for paging links. */
  readonly path: string;
}

export type Handler = (call: Call) => Promise<unknown>;
type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

export interface RouteOptions {
  /** Success status; 200 when left out. */
  readonly status?: number | ((version: Microversion) => number);
  /** First microversion that has the route; earlier ones answer 404. */
  readonly since?: Microversion;
  /** Last microversion that has the route. */
  readonly until?: Microversion;
  /** Name of Nova's policy rule, without `os_compute_api:`; only administrators pass. */
  readonly admin?: string;
  /** Query parameters that the route knows: from 2.75 on, others are refused (before, they are ignored). */
  readonly query?: readonly string[];
}

/** Adds routes of one API root (`/v2.1`, `/v2`). */
export type Route = (method: Method, path: string, handler: Handler, options?: RouteOptions) => void;

const NOT_FOUND = 'The resource could not be found.';

/** The members of something that came from outside. */
export const members = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};

const texts = (value: unknown): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(members(value)).map(([key, text]) => [key, String(text)] as const));

const single = (value: string | readonly string[] | undefined): string =>
  typeof value === 'string' ? value : (value?.[0] ?? '');

/** Throws Nova's 403 unless the caller is an administrator. */
export function requireAdmin(context: RequestContext, rule: string): void {
  if (!context.isAdmin) throw forbidden(`Policy doesn't allow os_compute_api:${rule} to be performed.`);
}

/** Throws Nova's 403 unless the caller may act for the project. */
export function requireProject(context: RequestContext, projectId: string, rule: string): void {
  if (context.projectId !== projectId) requireAdmin(context, rule);
}

function checkWindow(version: Microversion, options: RouteOptions): void {
  if (version < (options.since ?? MIN_MINOR)) throw notFound(NOT_FOUND);
  if (options.until !== undefined && version > options.until) throw notFound(NOT_FOUND);
}

/** Microversion 2.75 made unknown query parameters an error. */
const STRICT_QUERY: Microversion = 75;

function checkQuery(query: unknown, version: Microversion, options: RouteOptions): void {
  if (options.query === undefined || version < STRICT_QUERY) return;
  for (const name of Object.keys(members(query))) {
    if (!options.query.includes(name)) {
      throw badRequest(`Additional properties are not allowed ('${name}' was unexpected)`);
    }
  }
}

function toCall(
  request: FastifyRequest,
  reply: FastifyReply,
  context: RequestContext,
  version: number,
  roots: Roots,
): Call {
  return {
    context,
    version,
    token: single(request.headers['x-auth-token']),
    params: texts(request.params),
    query: members(request.query),
    body: request.body,
    reply,
    versionUrl: roots.versionUrl(),
    rootUrl: roots.rootUrl(),
    path: request.url,
  };
}

export interface Roots {
  /** Where microversions are negotiated (`/v2.1`) or not (`/v2`, which is 2.1 without restrictions). */
  readonly microversions: boolean;
  readonly versionUrl: () => string;
  readonly rootUrl: () => string;
}

/** A {@link Route} for one API root: authenticates, negotiates, checks the policy, then calls the handler. */
export function createRoute(app: FastifyInstance, kernel: CloudKernel, roots: Roots): Route {
  return (method, path, handler, options = {}) => {
    app.route({
      method,
      url: path,
      handler: async (request, reply) => {
        const context = await kernel.authenticate(request);
        const version = roots.microversions ? negotiate(request) : MIN_MINOR;
        if (roots.microversions) announce(reply, version);
        checkWindow(version, options);
        checkQuery(request.query, version, options);
        const projectInUrl = texts(request.params)['projectInUrl'];
        if (projectInUrl !== undefined && projectInUrl !== context.projectId)
          throw badRequest('Malformed request url');
        if (options.admin !== undefined) requireAdmin(context, options.admin);
        const { status = 200 } = options;
        reply.code(typeof status === 'number' ? status : status(version));
        const answer = await handler(toCall(request, reply, context, version, roots));
        return reply.send(answer ?? '');
      },
    });
  };
}

export interface Link {
  readonly rel: 'self' | 'bookmark' | 'next';
  readonly href: string;
}

/** `self` and `bookmark` links of a resource: `links(call, 'servers', uuid)`. */
export function links(call: Call, collection: string, id: string): readonly Link[] {
  return [{ rel: 'self', href: `${call.versionUrl}/${collection}/${id}` }, bookmark(call, collection, id)];
}

export const bookmark = (call: Call, collection: string, id: string): Link => ({
  rel: 'bookmark',
  href: `${call.rootUrl}/${collection}/${id}`,
});
