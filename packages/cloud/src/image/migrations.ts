import { sql, type Kysely, type Migration } from 'kysely';

const TABLES = [
  `create table image_image (
    id text primary key, name text, owner text not null, status text not null, visibility text not null,
    protected integer not null, os_hidden integer not null, disk_format text, container_format text,
    min_disk integer not null, min_ram integer not null, size integer, checksum text, os_hash_algo text,
    os_hash_value text, created_at text not null, updated_at text not null) strict`,
  `create table image_property (
    image_id text not null references image_image (id) on delete cascade, name text not null, value text not null,
    primary key (image_id, name)) strict`,
  `create table image_tag (
    image_id text not null references image_image (id) on delete cascade, tag text not null,
    primary key (image_id, tag)) strict`,
  `create table image_member (
    image_id text not null references image_image (id) on delete cascade, member_id text not null,
    status text not null, created_at text not null, updated_at text not null,
    primary key (image_id, member_id)) strict`,
];

export const imageMigrations: Readonly<Record<string, Migration>> = {
  'image-0001-tables': {
    async up(db: Kysely<unknown>): Promise<void> {
      for (const table of TABLES) await sql.raw(table).execute(db);
    },
  },
};
