import { sql, type Kysely, type Migration } from 'kysely';

const TABLES = [
  `create table identity_domain (
    id text primary key, name text not null unique, description text not null, enabled integer not null) strict`,
  `create table identity_project (
    id text primary key, name text not null, domain_id text not null references identity_domain (id),
    description text not null, enabled integer not null, unique (domain_id, name)) strict`,
  `create table identity_user (
    id text primary key, name text not null, domain_id text not null references identity_domain (id),
    password_hash text, enabled integer not null, email text, description text, default_project_id text,
    tokens_valid_from integer not null, unique (domain_id, name)) strict`,
  `create table identity_role (id text primary key, name text not null unique, description text) strict`,
  // Exactly one of project and domain is set; the other is '', so that the primary key tells assignments apart.
  `create table identity_assignment (
    role_id text not null references identity_role (id) on delete cascade,
    user_id text not null references identity_user (id) on delete cascade,
    project_id text not null, domain_id text not null,
    primary key (user_id, project_id, domain_id, role_id)) strict`,
  `create table identity_region (id text primary key, description text not null, parent_region_id text) strict`,
  `create table identity_service (
    id text primary key, type text not null, name text not null, description text not null, enabled integer not null) strict`,
  `create table identity_endpoint (
    id text primary key, service_id text not null references identity_service (id) on delete cascade,
    interface text not null, url text not null, region_id text not null references identity_region (id),
    enabled integer not null) strict`,
  `create table identity_revoked_token (audit_id text primary key, expires_at integer not null) strict`,
];

export const identityMigrations: Readonly<Record<string, Migration>> = {
  'identity-0001-tables': {
    async up(db: Kysely<unknown>): Promise<void> {
      for (const table of TABLES) await sql.raw(table).execute(db);
    },
  },
};
