import { sql, type Kysely, type Migration } from 'kysely';

const OWNED = 'id text primary key, project_id text not null, creator_id text not null, name text';
const TABLES = [
  `create table key_manager_secret (
    ${OWNED}, created_at text not null, secret_type text not null, content_type text not null,
    payload blob not null) strict`,
  `create table key_manager_container (${OWNED}, created_at text not null, type text not null) strict`,
  `create table key_manager_container_secret (
    container_id text not null references key_manager_container (id) on delete cascade, name text not null,
    secret_id text not null, primary key (container_id, name)) strict`,
];

export const keyManagerMigrations: Readonly<Record<string, Migration>> = {
  'key-manager-0001-tables': {
    async up(db: Kysely<unknown>): Promise<void> {
      for (const table of TABLES) await sql.raw(table).execute(db);
    },
  },
};
