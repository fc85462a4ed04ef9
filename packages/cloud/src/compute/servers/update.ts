import { z } from 'zod';
import { badRequest } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import type { Call, Route } from '../api/call.js';
import { description, gated, name } from '../api/values.js';
import type { Nova } from '../deps.js';
import { loadExtras } from './load.js';
import { findServer } from './find.js';
import { showServer } from './list.js';
import { serverDetail } from './views.js';

/** 2.19 adds the description, 2.90 the host name. */
function updateSchema(version: number) {
  return z.strictObject({
    server: z.strictObject({
      name: name.optional(),
      'OS-DCF:diskConfig': z.enum(['AUTO', 'MANUAL']).optional(),
      description: gated(version >= 19, description),
      hostname: gated(version >= 90, z.string().regex(/^[a-zA-Z0-9._-]{1,255}$/)),
    }),
  });
}

/** Before 2.75 the answer leaves out what only GET showed. nova/api/openstack/compute/servers.py, update */
const ONLY_IN_GET = [
  'OS-EXT-AZ:availability_zone',
  'OS-EXT-STS:task_state',
  'OS-EXT-STS:vm_state',
  'OS-EXT-STS:power_state',
  'OS-SRV-USG:launched_at',
  'OS-SRV-USG:terminated_at',
  'os-extended-volumes:volumes_attached',
  'config_drive',
  'key_name',
  'security_groups',
  'host_status',
  'pinned_availability_zone',
];

async function update(nova: Nova, call: Call): Promise<object> {
  const { server: changes } = parse(updateSchema(call.version), call.body);
  if (Object.values(changes).every((value) => value === undefined)) {
    throw badRequest('Nothing to update: give a name or a description.');
  }
  const server = await findServer(nova, call);
  await nova.db
    .updateTable('compute_instance')
    .set({
      updated_at: nova.now().toISOString(),
      ...(changes.name === undefined ? {} : { display_name: changes.name }),
      ...(changes.description === undefined ? {} : { display_description: changes.description }),
      ...(changes.hostname === undefined ? {} : { hostname: changes.hostname }),
      ...(changes['OS-DCF:diskConfig'] === undefined ? {} : { disk_config: changes['OS-DCF:diskConfig'] }),
    })
    .where('uuid', '=', server.uuid)
    .execute();
  const updated = await findServer(nova, call);
  if (call.version >= 75) return showServer(nova, call, updated);
  const extras = await loadExtras(nova, [updated]);
  const view = Object.entries(serverDetail(call, updated, extras(updated), true)).filter(
    ([key]) => !ONLY_IN_GET.includes(key) && !key.startsWith('OS-EXT-SRV-ATTR:'),
  );
  return { server: Object.fromEntries(view) };
}

export function registerServerUpdate(route: Route, nova: Nova): void {
  route('PUT', '/servers/:id', (call) => update(nova, call));
}
