import type { FastifyInstance } from 'fastify';
import type { NetworkDeps } from '../deps.js';
import { isPrivileged } from '../deps.js';
import { neutronError } from '../errors.js';
import { EXTENSIONS } from './extensions.js';

type Params = { Params: { id: string } };

/** What can be in the API's index, and lists of what a cloud like this has none of. */
const RESOURCES = ['network', 'subnet', 'port', 'security_group', 'security_group_rule'];
const EMPTY_LISTS = ['agents', 'availability_zones', 'floatingips', 'routers', 'subnetpools'];
/** Nothing is limited: Neutron's -1. */
const QUOTA = {
  network: -1,
  subnet: -1,
  subnetpool: -1,
  port: -1,
  router: -1,
  floatingip: -1,
  rbac_policy: -1,
  security_group: -1,
  security_group_rule: -1,
};

const extensionBody = ([alias, name, description]: (typeof EXTENSIONS)[number]): unknown => ({
  alias,
  name,
  description,
  updated: '2016-09-10T10:00:00-00:00',
  links: [],
});

const collection = (name: string): string => `${name.replaceAll('_', '-')}s`;

function registerQuotas(app: FastifyInstance, deps: NetworkDeps): void {
  app.get('/v2.0/quotas', async (request) => {
    await deps.authenticate(request);
    return { quotas: [] };
  });
  app.get<Params>('/v2.0/quotas/:id', async (request) => {
    const context = await deps.authenticate(request);
    if (!isPrivileged(context) && request.params.id !== context.projectId) {
      throw neutronError('PolicyNotAuthorized', 'rule:get_quota is disallowed by policy');
    }
    return { quota: QUOTA };
  });
  app.get<Params>('/v2.0/quotas/:id/default', async (request) => {
    await deps.authenticate(request);
    return { quota: QUOTA };
  });
}

/** Versions, extensions, quotas, and lists that are empty. */
export function registerMiscRoutes(app: FastifyInstance, deps: NetworkDeps): void {
  app.get('/', async () => ({
    versions: [{ id: 'v2.0', status: 'CURRENT', links: [{ rel: 'self', href: `${deps.base()}/` }] }],
  }));
  app.get('/v2.0', async () => ({
    resources: RESOURCES.map((name) => ({
      name,
      collection: `${name}s`,
      links: [{ rel: 'self', href: `${deps.base()}/${collection(name)}` }],
    })),
  }));
  app.get('/v2.0/extensions', async (request) => {
    await deps.authenticate(request);
    return { extensions: EXTENSIONS.map(extensionBody) };
  });
  app.get<Params>('/v2.0/extensions/:id', async (request) => {
    await deps.authenticate(request);
    const found = EXTENSIONS.find(([alias]) => alias === request.params.id);
    if (found === undefined)
      throw neutronError('ExtensionNotFound', `Extension with alias ${request.params.id} does not exist`);
    return { extension: extensionBody(found) };
  });
  for (const name of EMPTY_LISTS) {
    app.get(`/v2.0/${name}`, async (request) => {
      await deps.authenticate(request);
      return { [name]: [] };
    });
  }
  registerQuotas(app, deps);
}
