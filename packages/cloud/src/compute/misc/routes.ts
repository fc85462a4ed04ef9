import { ApiError, notFound } from '../../kernel/errors.js';
import type { Route } from '../api/call.js';

interface Extension {
  readonly alias: string;
  readonly name: string;
  readonly description: string;
}

/** Of the many that a Nova lists, those whose resources are served here. */
const EXTENSIONS: readonly Extension[] = [
  { alias: 'flavors', name: 'Flavors', description: 'Flavors.' },
  { alias: 'limits', name: 'Limits', description: 'Limits of a project.' },
  { alias: 'os-availability-zone', name: 'AvailabilityZone', description: 'Availability zones.' },
  { alias: 'os-console-output', name: 'ConsoleOutput', description: "A server's console log." },
  { alias: 'os-flavor-access', name: 'FlavorAccess', description: 'Projects that may use a private flavor.' },
  { alias: 'os-flavor-extra-specs', name: 'FlavorExtraSpecs', description: 'Extra specs of flavors.' },
  { alias: 'os-flavor-manage', name: 'FlavorManage', description: 'Creating and deleting flavors.' },
  { alias: 'os-hypervisors', name: 'Hypervisors', description: 'Compute hosts.' },
  { alias: 'os-instance-actions', name: 'InstanceActions', description: 'What was asked of a server.' },
  { alias: 'os-keypairs', name: 'Keypairs', description: 'SSH public keys.' },
  { alias: 'os-lock-server', name: 'LockServer', description: 'Locking servers.' },
  { alias: 'os-migrations', name: 'Migrations', description: 'Resizes of servers.' },
  { alias: 'os-quota-sets', name: 'Quotas', description: 'Quotas of projects.' },
  {
    alias: 'os-security-groups',
    name: 'SecurityGroups',
    description: "Security groups of a server's ports.",
  },
  { alias: 'os-services', name: 'Services', description: 'Compute services.' },
  { alias: 'os-simple-tenant-usage', name: 'SimpleTenantUsage', description: 'What projects used.' },
  { alias: 'servers', name: 'Servers', description: 'Servers.' },
];

const view = (extension: Extension): object => ({
  ...extension,
  links: [],
  namespace: 'http://docs.openstack.org/compute/ext/fake_xml',
  updated: '2014-12-03T00:00:00Z',
});

/** Collections that this cloud never has anything in: listing them is honest, creating in them is refused. */
const EMPTY: readonly (readonly [path: string, key: string, adminRule: string | null])[] = [
  ['/os-aggregates', 'aggregates', 'os-aggregates:index'],
  ['/os-server-groups', 'server_groups', null],
];

export function registerMisc(route: Route): void {
  route('GET', '/extensions', async () => ({ extensions: EXTENSIONS.map(view) }));
  route('GET', '/extensions/:alias', async (call) => {
    const found = EXTENSIONS.find((extension) => extension.alias === call.params['alias']);
    if (found === undefined) throw notFound(`The extension ${call.params['alias']} is not served.`);
    return { extension: view(found) };
  });
  for (const [path, key, admin] of EMPTY) {
    route('GET', path, async () => ({ [key]: [] }), admin === null ? {} : { admin });
    route('POST', path, async () => {
      throw new ApiError(501, `Creating ${key.replaceAll('_', ' ')} is not served by this cloud.`);
    });
  }
}
