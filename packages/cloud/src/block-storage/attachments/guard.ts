import { conflict } from '../../kernel/errors.js';
import type { Call } from '../api/call.js';
import type { Cinder } from '../deps.js';
import type { AttachmentRow } from '../tables.js';

/**
 * A volume that a server uses is detached by Nova alone, or its data could reach another server (bug 2004555): users are told to ask Nova.
 * @throws ApiError 409; 503 when Nova cannot be asked
 */
export async function refuseUsed(
  cinder: Cinder,
  call: Call,
  attachments: readonly AttachmentRow[],
): Promise<void> {
  if (call.context.roles.includes('service')) return;
  for (const attachment of attachments) {
    const { instance_uuid: server, connection_info: info } = attachment;
    if (server === null || info === null) continue;
    if ((await cinder.compute.attachmentOf(server, attachment.volume_id)) === attachment.id)
      throw conflict(`Detach volume from instance ${server} using the Compute API`);
  }
}
