import type { Kysely } from 'kysely';
import { newHexId } from '../kernel/ids.js';
import type { CloudService } from '../kernel/service.js';
import { DEFAULT_DOMAIN } from './domains/routes.js';
import { hashPassword } from './passwords.js';
import type { IdentityTables } from './tables.js';

/** Keystone's bootstrap roles; `service` is for requests between services. */
const ROLES = ['admin', 'member', 'reader', 'service'];

export interface SeedOptions {
  readonly adminPassword: string;
  readonly region: string;
}

export interface SeededIds {
  readonly adminUserId: string;
  readonly adminProjectId: string;
  readonly serviceUserId: string;
  readonly serviceProjectId: string;
}

/** Domain, projects, users and roles of a fresh cloud, in one transaction; a cloud that has them is left as it is. */
export async function seedIdentity(db: Kysely<IdentityTables>, options: SeedOptions): Promise<void> {
  const there = await db
    .selectFrom('identity_domain')
    .select('id')
    .where('id', '=', DEFAULT_DOMAIN)
    .executeTakeFirst();
  if (there !== undefined) return;
  const passwordHash = await hashPassword(options.adminPassword);
  await db.transaction().execute(async (trx) => {
    const domain = { id: DEFAULT_DOMAIN, name: 'Default', description: 'The default domain', enabled: 1 };
    await trx.insertInto('identity_domain').values(domain).execute();
    await trx
      .insertInto('identity_region')
      .values({ id: options.region, description: '', parent_region_id: null })
      .execute();
    const roles = ROLES.map((name) => ({ id: newHexId(), name, description: null }));
    await trx.insertInto('identity_role').values(roles).execute();
    const roleId = (name: string): string => roles.find((role) => role.name === name)?.id ?? '';
    const people = [
      {
        name: 'admin',
        description: 'Administrator',
        hash: passwordHash,
        roles: ['admin', 'member', 'reader'],
      },
      { name: 'service', description: 'The services of the cloud', hash: null, roles: ['admin', 'service'] },
    ];
    for (const { name, description, hash, roles: given } of people) {
      const projectId = newHexId();
      const userId = newHexId();
      await trx
        .insertInto('identity_project')
        .values({ id: projectId, name, domain_id: DEFAULT_DOMAIN, description, enabled: 1 })
        .execute();
      await trx
        .insertInto('identity_user')
        .values({
          id: userId,
          name,
          domain_id: DEFAULT_DOMAIN,
          password_hash: hash,
          enabled: 1,
          email: null,
          description,
          default_project_id: projectId,
          tokens_valid_from: 0,
        })
        .execute();
      const assignments = given.map((role) => ({
        role_id: roleId(role),
        user_id: userId,
        project_id: projectId,
        domain_id: '',
      }));
      if (name === 'admin') {
        assignments.push({
          role_id: roleId('admin'),
          user_id: userId,
          project_id: '',
          domain_id: DEFAULT_DOMAIN,
        });
      }
      await trx.insertInto('identity_assignment').values(assignments).execute();
    }
  });
}

/** The users and projects of the seed, found by name. */
export async function seededIds(db: Kysely<IdentityTables>): Promise<SeededIds> {
  const id = async (table: 'identity_user' | 'identity_project', name: string): Promise<string> => {
    const row = await db
      .selectFrom(table)
      .select('id')
      .where('name', '=', name)
      .where('domain_id', '=', DEFAULT_DOMAIN)
      .executeTakeFirst();
    return row?.id ?? '';
  };
  return {
    adminUserId: await id('identity_user', 'admin'),
    adminProjectId: await id('identity_project', 'admin'),
    serviceUserId: await id('identity_user', 'service'),
    serviceProjectId: await id('identity_project', 'service'),
  };
}

/** Puts the cloud's own services with their present address into the catalogue; what an operator added stays. */
export async function syncCatalog(
  db: Kysely<IdentityTables>,
  services: readonly CloudService[],
  publicUrl: string,
  region: string,
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    for (const { type, name, endpoint } of services) {
      if (endpoint === null) continue;
      const known = await trx
        .selectFrom('identity_service')
        .select('id')
        .where('type', '=', type)
        .where('name', '=', name)
        .executeTakeFirst();
      const serviceId = known?.id ?? newHexId();
      if (known === undefined) {
        const row = { id: serviceId, type, name, description: '', enabled: 1 };
        await trx.insertInto('identity_service').values(row).execute();
      }
      const url = `${publicUrl}${endpoint}`;
      for (const iface of ['public', 'internal', 'admin']) {
        const updated = await trx
          .updateTable('identity_endpoint')
          .set({ url })
          .where('service_id', '=', serviceId)
          .where('interface', '=', iface)
          .where('region_id', '=', region)
          .executeTakeFirst();
        if (updated.numUpdatedRows > 0n) continue;
        await trx
          .insertInto('identity_endpoint')
          .values({
            id: newHexId(),
            service_id: serviceId,
            interface: iface,
            url,
            region_id: region,
            enabled: 1,
          })
          .execute();
      }
    }
  });
}
