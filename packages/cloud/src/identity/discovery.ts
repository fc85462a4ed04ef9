import type { FastifyInstance } from 'fastify';

/** Version of the Identity API that is served. */
const VERSION = 'v3.14';

/** `GET /identity` and `GET /identity/v3` (Identity API v3, "API versions"). */
export function registerDiscovery(app: FastifyInstance, base: () => string): void {
  const version = (): unknown => ({
    id: VERSION,
    status: 'stable',
    updated: '2020-04-07T00:00:00Z',
    links: [{ rel: 'self', href: `${base()}/` }],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }],
  });
  app.get('/', async (_request, reply) => reply.code(300).send({ versions: { values: [version()] } }));
  app.get('/v3', async () => ({ version: version() }));
}
