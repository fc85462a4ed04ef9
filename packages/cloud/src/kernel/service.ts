import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Kysely, Migration } from 'kysely';
import type { Logger } from 'pino';

/** Who calls, from a validated token: what oslo.context carries. */
export interface RequestContext {
  readonly requestId: string;
  readonly userId: string;
  readonly userName: string;
  readonly userDomainId: string;
  /** Empty for unscoped tokens. */
  readonly projectId: string;
  readonly projectName: string;
  readonly roles: readonly string[];
  /** Role admin. */
  readonly isAdmin: boolean;
}

/** What every service of the one-machine cloud is built with. */
export interface CloudKernel {
  /** One SQLite database; each service narrows it: `kernel.db.withTables<ComputeTables>()`. */
  readonly db: Kysely<object>;
  readonly log: Logger;
  readonly stateDir: string;
  /** `http://127.0.0.1:8780`, without a trailing slash; known once the server listens. */
  publicUrl(): string;
  /** The caller of a request, or a thrown 401 in OpenStack's form. Tokens of X-Auth-Token. */
  authenticate(request: FastifyRequest): Promise<RequestContext>;
  /** A token of the cloud's own service user (roles admin, service), renewed as needed: for its REST clients. */
  serviceToken(): Promise<string>;
  /** A token of a user for one of the user's projects: for what a service does later on the user's behalf. Throws 401 when there is no such right any more. */
  tokenOf(user: { readonly userId: string; readonly projectId: string }): Promise<string>;
  /** Region of the catalogue: `RegionOne`. */
  readonly region: string;
}

/** A service with its place in the catalogue. */
export interface CloudService {
  /** Catalogue type: identity, image, compute, network, placement, volumev3. */
  readonly type: string;
  /** keystone, glance, nova, neutron, placement */
  readonly name: string;
  /** Mount path: `/compute`. */
  readonly path: string;
  /** Path of the catalogue's endpoints, with `%(project_id)s` where wanted: `/compute/v2.1`; null = it is not in the catalogue. */
  readonly endpoint: string | null;
  /** By name; names begin with the service's type and sort by time: `compute-0001-instances`. */
  readonly migrations: Readonly<Record<string, Migration>>;
  /** Adds the routes; the instance is already prefixed with `path`. */
  register(app: FastifyInstance): Promise<void>;
  /** After all migrations and identity's first-start data, before anything listens: first-start data, and what a killed process left. */
  prepare?(): Promise<void>;
  /** After every service listens. */
  start?(): Promise<void>;
  stop?(): Promise<void>;
}
