import type { FastifyInstance } from 'fastify';
import { MAX_MINOR, MIN_MINOR } from './microversion.js';

/** Version documents, which need no token: clients read them before they log in. `root` is `http://…/volume`. */
export function registerVersions(app: FastifyInstance, root: () => string): void {
  const v3 = (): object => ({
    id: 'v3.0',
    status: 'CURRENT',
    version: `3.${MAX_MINOR}`,
    min_version: `3.${MIN_MINOR}`,
    updated: '2022-03-30T00:00:00Z',
    links: [
      { rel: 'describedby', type: 'text/html', href: 'https://docs.openstack.org/' },
      { rel: 'self', href: `${root()}/v3/` },
    ],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.volume+json;version=3' }],
  });
  app.get('/', async (_request, reply) => reply.code(300).send({ versions: [v3()] }));
  app.get('/v3', async () => ({ versions: [v3()] }));
}
