import { sql, type Kysely, type Migration } from 'kysely';

const TABLES = [
  `create table placement_provider (
    uuid text primary key, name text not null unique, generation integer not null,
    parent_uuid text references placement_provider (uuid), root_uuid text not null, updated_at text not null) strict`,
  `create table placement_inventory (
    provider_uuid text not null references placement_provider (uuid) on delete cascade,
    resource_class text not null, total integer not null, reserved integer not null, min_unit integer not null,
    max_unit integer not null, step_size integer not null, allocation_ratio real not null,
    primary key (provider_uuid, resource_class)) strict`,
  `create table placement_provider_trait (
    provider_uuid text not null references placement_provider (uuid) on delete cascade,
    trait text not null, primary key (provider_uuid, trait)) strict`,
  `create table placement_custom_trait (name text primary key) strict`,
  `create table placement_custom_class (name text primary key) strict`,
  `create table placement_aggregate (
    provider_uuid text not null references placement_provider (uuid) on delete cascade,
    aggregate_uuid text not null, primary key (provider_uuid, aggregate_uuid)) strict`,
  `create table placement_consumer (
    uuid text primary key, generation integer not null, project_id text not null, user_id text not null,
    consumer_type text not null) strict`,
  `create table placement_allocation (
    consumer_uuid text not null references placement_consumer (uuid) on delete cascade,
    provider_uuid text not null references placement_provider (uuid),
    resource_class text not null, used integer not null check (used > 0),
    primary key (consumer_uuid, provider_uuid, resource_class)) strict`,
  `create index placement_allocation_provider on placement_allocation (provider_uuid, resource_class)`,
];

export const placementMigrations: Readonly<Record<string, Migration>> = {
  'placement-0001-tables': {
    async up(db: Kysely<unknown>): Promise<void> {
      for (const table of TABLES) await sql.raw(table).execute(db);
    },
  },
};
