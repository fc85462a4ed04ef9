import type { FastifyInstance } from 'fastify';
import { MAX_MINOR, MIN_MINOR } from './microversion.js';

interface VersionEntry {
  readonly id: string;
  readonly path: string;
  readonly status: string;
  readonly version: string;
  readonly minVersion: string;
  readonly updated: string;
  readonly mediaVersion: string;
}

const VERSIONS: readonly VersionEntry[] = [
  {
    id: 'v2.0',
    path: 'v2',
    status: 'SUPPORTED',
    version: '',
    minVersion: '',
    updated: '2011-01-21T11:33:21Z',
    mediaVersion: '2',
  },
  {
    id: 'v2.1',
    path: 'v2.1',
    status: 'CURRENT',
    version: `2.${MAX_MINOR}`,
    minVersion: `2.${MIN_MINOR}`,
    updated: '2013-07-23T11:33:21Z',
    mediaVersion: '2.1',
  },
];

const summary = (entry: VersionEntry, root: string): object => ({
  id: entry.id,
  status: entry.status,
  version: entry.version,
  min_version: entry.minVersion,
  updated: entry.updated,
  links: [{ rel: 'self', href: `${root}/${entry.path}/` }],
});

const detail = (entry: VersionEntry, root: string): object => ({
  ...summary(entry, root),
  links: [
    { rel: 'self', href: `${root}/${entry.path}/` },
    { rel: 'describedby', type: 'text/html', href: 'http://docs.openstack.org/' },
  ],
  'media-types': [
    {
      base: 'application/json',
      type: `application/vnd.openstack.compute+json;version=${entry.mediaVersion}`,
    },
  ],
});

/** Version documents, which need no token: clients read them before they log in. `root` is `http://…/compute`. */
export function registerVersions(app: FastifyInstance, root: () => string): void {
  app.get('/', async () => ({ versions: VERSIONS.map((entry) => summary(entry, root())) }));
  for (const entry of VERSIONS) {
    app.get(`/${entry.path}`, async () => ({ version: detail(entry, root()) }));
  }
}
