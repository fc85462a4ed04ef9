import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { conflict, forbidden, notFound } from '../../kernel/errors.js';
import type { RequestContext } from '../../kernel/service.js';
import { parse } from '../../kernel/validate.js';
import type { ImageDeps } from '../deps.js';
import { mayChange, visibleImage } from '../images/access.js';
import { memberBody } from '../images/store.js';
import type { ImageRow, MemberRow } from '../tables.js';

type Params = { Params: { id: string } };
type MemberParams = { Params: { id: string; member: string } };

const CreateBody = z.object({ member: z.string().min(1).max(255) });
const UpdateBody = z.object({ status: z.enum(['pending', 'accepted', 'rejected']) });

async function sharedImage(
  deps: ImageDeps,
  request: FastifyRequest<Params>,
): Promise<{ readonly context: RequestContext; readonly image: ImageRow }> {
  const context = await deps.authenticate(request);
  const image = await visibleImage(deps.db, context, request.params.id);
  if (image.visibility !== 'shared') throw forbidden('Only shared images have members.');
  return { context, image };
}

const sees = (context: RequestContext, image: ImageRow, member: string): boolean =>
  context.isAdmin || image.owner === context.projectId || member === context.projectId;

/** `/v2/images/{id}/members`: who an image is shared with (Image API v2, "Sharing"). */
export function registerMemberRoutes(app: FastifyInstance, deps: ImageDeps): void {
  const find = async (image: ImageRow, member: string): Promise<MemberRow> => {
    const row = await deps.db
      .selectFrom('image_member')
      .selectAll()
      .where('image_id', '=', image.id)
      .where('member_id', '=', member)
      .executeTakeFirst();
    if (row === undefined) throw notFound(`${member} not found in the member list of the image ${image.id}.`);
    return row;
  };

  app.get<Params>('/v2/images/:id/members', async (request) => {
    const { context, image } = await sharedImage(deps, request);
    const rows = await deps.db
      .selectFrom('image_member')
      .selectAll()
      .where('image_id', '=', image.id)
      .execute();
    const members = rows.filter((row) => sees(context, image, row.member_id)).map(memberBody);
    return { members, schema: '/v2/schemas/members' };
  });

  app.post<Params>('/v2/images/:id/members', async (request) => {
    const { context, image } = await sharedImage(deps, request);
    mayChange(context, image, 'share');
    const { member } = parse(CreateBody, request.body);
    const now = new Date().toISOString();
    const row: MemberRow = {
      image_id: image.id,
      member_id: member,
      status: 'pending',
      created_at: now,
      updated_at: now,
    };
    const result = await deps.db
      .insertInto('image_member')
      .values(row)
      .onConflict((clash) => clash.doNothing())
      .executeTakeFirst();
    if ((result.numInsertedOrUpdatedRows ?? 0n) === 0n) {
      throw conflict(`${member} is already associated with image ${image.id}.`);
    }
    return memberBody(row);
  });

  app.get<MemberParams>('/v2/images/:id/members/:member', async (request) => {
    const { context, image } = await sharedImage(deps, request);
    const row = await find(image, request.params.member);
    if (!sees(context, image, row.member_id))
      throw notFound(`${row.member_id} not found in the member list of the image ${image.id}.`);
    return memberBody(row);
  });

  app.put<MemberParams>('/v2/images/:id/members/:member', async (request) => {
    const { context, image } = await sharedImage(deps, request);
    const { status } = parse(UpdateBody, request.body);
    const row = await find(image, request.params.member);
    // Whether to take an offered image is the member's own decision.
    if (!context.isAdmin && row.member_id !== context.projectId)
      throw forbidden('Only the member can accept or reject an image.');
    const changed: MemberRow = { ...row, status, updated_at: new Date().toISOString() };
    await deps.db
      .updateTable('image_member')
      .set(changed)
      .where('image_id', '=', row.image_id)
      .where('member_id', '=', row.member_id)
      .execute();
    return memberBody(changed);
  });

  app.delete<MemberParams>('/v2/images/:id/members/:member', async (request, reply) => {
    const { context, image } = await sharedImage(deps, request);
    mayChange(context, image, 'share');
    const row = await find(image, request.params.member);
    await deps.db
      .deleteFrom('image_member')
      .where('image_id', '=', row.image_id)
      .where('member_id', '=', row.member_id)
      .execute();
    return reply.code(204).send();
  });
}
