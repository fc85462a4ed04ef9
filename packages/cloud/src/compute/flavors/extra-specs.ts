import { badRequest, conflict, notFound } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import type { Call, Route } from '../api/call.js';
import type { Nova } from '../deps.js';
import {
  addFlavorProject,
  changeExtraSpecs,
  flavorProjects,
  removeFlavorProject,
  type FlavorRecord,
} from '../store/flavors.js';
import { checkExtraSpecs } from './extra-spec-rules.js';
import { visibleFlavor } from './routes.js';
import { extraSpecs, flavorAction, setExtraSpecs } from './schemas.js';

/** From 2.86 on, known extra specs are checked. */
const CHECKED = 86;

const flavorOf = (nova: Nova, call: Call): Promise<FlavorRecord> =>
  visibleFlavor(nova, call, call.params['id'] ?? '');

/** Only what the flavor has itself: `constructor` and the like are no extra specs. */
const specOf = (specs: Readonly<Record<string, string>>, key: string): string | undefined =>
  Object.hasOwn(specs, key) ? specs[key] : undefined;

const noSpec = (call: Call): Error =>
  notFound(`Flavor ${call.params['id']} has no extra specs with key ${call.params['key']}.`);

async function show(nova: Nova, call: Call): Promise<object> {
  const key = call.params['key'] ?? '';
  const value = specOf((await flavorOf(nova, call)).extraSpecs, key);
  if (value === undefined) throw noSpec(call);
  return { [key]: value };
}

async function create(nova: Nova, call: Call): Promise<object> {
  const specs = parse(setExtraSpecs, call.body).extra_specs;
  if (call.version >= CHECKED) checkExtraSpecs(specs);
  const flavor = await flavorOf(nova, call);
  await changeExtraSpecs(nova.db, flavor.flavorId, (old) => ({ ...old, ...specs }));
  return { extra_specs: specs };
}

async function update(nova: Nova, call: Call): Promise<object> {
  const key = call.params['key'] ?? '';
  const specs = parse(extraSpecs, call.body);
  const value = specOf(specs, key);
  if (value === undefined || Object.keys(specs).length !== 1)
    throw badRequest('Request body and URI mismatch');
  if (call.version >= CHECKED) checkExtraSpecs(specs);
  const flavor = await flavorOf(nova, call);
  await changeExtraSpecs(nova.db, flavor.flavorId, (old) => ({ ...old, [key]: value }));
  return { [key]: value };
}

async function remove(nova: Nova, call: Call): Promise<void> {
  const key = call.params['key'] ?? '';
  const flavor = await flavorOf(nova, call);
  await changeExtraSpecs(nova.db, flavor.flavorId, (old) => {
    if (specOf(old, key) === undefined) throw noSpec(call);
    return Object.fromEntries(Object.entries(old).filter(([name]) => name !== key));
  });
}

const accessView = async (nova: Nova, flavor: FlavorRecord): Promise<object> => ({
  flavor_access: (await flavorProjects(nova.db, flavor.flavorId)).map((projectId) => ({
    flavor_id: flavor.flavorId,
    tenant_id: projectId,
  })),
});

async function listAccess(nova: Nova, call: Call): Promise<object> {
  const flavor = await flavorOf(nova, call);
  if (flavor.isPublic) throw notFound('Access list not available for public flavors.');
  return accessView(nova, flavor);
}

async function changeAccess(nova: Nova, call: Call): Promise<object> {
  const action = parse(flavorAction, call.body);
  const flavor = await flavorOf(nova, call);
  if ('addTenantAccess' in action) {
    const project = action.addTenantAccess.tenant;
    // From 2.7 on a public flavor, which everyone may use, refuses.
    if (call.version >= 7 && flavor.isPublic) throw conflict('Can not add access to a public flavor.');
    if ((await flavorProjects(nova.db, flavor.flavorId)).includes(project)) {
      throw conflict(
        `Flavor access already exists for flavor ${flavor.flavorId} and project ${project} combination.`,
      );
    }
    await addFlavorProject(nova.db, flavor.flavorId, project);
  } else {
    const project = action.removeTenantAccess.tenant;
    if (!(await removeFlavorProject(nova.db, flavor.flavorId, project))) {
      throw notFound(`Flavor access not found for ${flavor.flavorId} / ${project} combination.`);
    }
  }
  return accessView(nova, flavor);
}

const BASE = '/flavors/:id/os-extra_specs';

export function registerExtraSpecs(route: Route, nova: Nova): void {
  route('GET', BASE, async (call) => ({ extra_specs: (await flavorOf(nova, call)).extraSpecs }));
  route('GET', `${BASE}/:key`, (call) => show(nova, call));
  route('POST', BASE, (call) => create(nova, call), { admin: 'os-flavor-extra-specs:create' });
  route('PUT', `${BASE}/:key`, (call) => update(nova, call), { admin: 'os-flavor-extra-specs:update' });
  route('DELETE', `${BASE}/:key`, (call) => remove(nova, call), { admin: 'os-flavor-extra-specs:delete' });
  route('GET', '/flavors/:id/os-flavor-access', (call) => listAccess(nova, call), {
    admin: 'os-flavor-access',
  });
  route('POST', '/flavors/:id/action', (call) => changeAccess(nova, call), {
    admin: 'os-flavor-access:add_tenant_access',
  });
}
