import type { Kysely, Transaction } from 'kysely';
import { isoSeconds } from '../../kernel/time.js';
import type { ImageRow, ImageTables, MemberRow } from '../tables.js';

export interface FullImage extends ImageRow {
  readonly properties: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
}

type Db = Kysely<ImageTables> | Transaction<ImageTables>;

/** Adds properties and tags. */
export async function complete(db: Db, rows: readonly ImageRow[]): Promise<readonly FullImage[]> {
  const one = rows.length === 1 ? rows[0]?.id : undefined;
  let properties = db.selectFrom('image_property').selectAll();
  let tags = db.selectFrom('image_tag').selectAll().orderBy('tag');
  if (one !== undefined) {
    properties = properties.where('image_id', '=', one);
    tags = tags.where('image_id', '=', one);
  }
  const byId = new Map<string, { properties: Record<string, string>; tags: string[] }>();
  for (const row of rows) byId.set(row.id, { properties: {}, tags: [] });
  for (const { image_id: id, name, value } of await properties.execute()) {
    const entry = byId.get(id);
    if (entry !== undefined) entry.properties[name] = value;
  }
  for (const { image_id: id, tag } of await tags.execute()) byId.get(id)?.tags.push(tag);
  return rows.map((row) => ({ ...row, ...(byId.get(row.id) ?? { properties: {}, tags: [] }) }));
}

/** Replaces properties and tags of an image; its row is there. */
export async function writeExtras(db: Db, image: FullImage): Promise<void> {
  await db.deleteFrom('image_property').where('image_id', '=', image.id).execute();
  await db.deleteFrom('image_tag').where('image_id', '=', image.id).execute();
  const properties = Object.entries(image.properties).map(([name, value]) => ({
    image_id: image.id,
    name,
    value,
  }));
  const tags = [...new Set(image.tags)].map((tag) => ({ image_id: image.id, tag }));
  if (properties.length > 0) await db.insertInto('image_property').values(properties).execute();
  if (tags.length > 0) await db.insertInto('image_tag').values(tags).execute();
}

/** An image as Image API v2 shows it; paths are relative to the endpoint, as Glance's are. */
export function imageBody(image: FullImage): Record<string, unknown> {
  return {
    ...image.properties,
    id: image.id,
    name: image.name,
    status: image.status,
    visibility: image.visibility,
    protected: image.protected === 1,
    os_hidden: image.os_hidden === 1,
    owner: image.owner,
    disk_format: image.disk_format,
    container_format: image.container_format,
    min_disk: image.min_disk,
    min_ram: image.min_ram,
    size: image.size,
    virtual_size: null,
    checksum: image.checksum,
    os_hash_algo: image.os_hash_algo,
    os_hash_value: image.os_hash_value,
    tags: image.tags,
    created_at: isoSeconds(new Date(image.created_at)),
    updated_at: isoSeconds(new Date(image.updated_at)),
    self: `/v2/images/${image.id}`,
    file: `/v2/images/${image.id}/file`,
    schema: '/v2/schemas/image',
  };
}

export const memberBody = (row: MemberRow): Record<string, unknown> => ({
  image_id: row.image_id,
  member_id: row.member_id,
  status: row.status,
  created_at: isoSeconds(new Date(row.created_at)),
  updated_at: isoSeconds(new Date(row.updated_at)),
  schema: '/v2/schemas/member',
});
