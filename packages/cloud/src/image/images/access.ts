import type { Kysely } from 'kysely';
import { forbidden, notFound } from '../../kernel/errors.js';
import type { RequestContext } from '../../kernel/service.js';
import type { ImageRow, ImageTables } from '../tables.js';

/** Who may see an image: its owner, everybody (public, community), members (shared), administrators. */
export async function visibleImage(
  db: Kysely<ImageTables>,
  context: RequestContext,
  id: string,
): Promise<ImageRow> {
  const row = await db
    .selectFrom('image_image')
    .selectAll()
    .where('id', '=', id.toLowerCase())
    .where('status', '!=', 'deleted')
    .executeTakeFirst();
  if (row !== undefined) {
    const open = row.visibility === 'public' || row.visibility === 'community';
    if (context.isAdmin || open || row.owner === context.projectId) return row;
    if (row.visibility === 'shared' && (await isMember(db, row.id, context.projectId))) return row;
  }
  throw notFound(`No image found with ID ${id}`);
}

async function isMember(db: Kysely<ImageTables>, imageId: string, projectId: string): Promise<boolean> {
  const row = await db
    .selectFrom('image_member')
    .select('status')
    .where('image_id', '=', imageId)
    .where('member_id', '=', projectId)
    .executeTakeFirst();
  return row !== undefined;
}

/** Only the owner and administrators change an image. @throws ApiError 403 */
export function mayChange(context: RequestContext, image: ImageRow, action: string): void {
  if (!context.isAdmin && image.owner !== context.projectId) {
    throw forbidden(`You are not permitted to ${action} image ${image.id}: another project owns it.`);
  }
}
