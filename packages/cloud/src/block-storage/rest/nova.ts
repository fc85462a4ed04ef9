import { request } from 'undici';
import { z } from 'zod';
import { ApiError } from '../../kernel/errors.js';

const TIMEOUT_MS = 30_000;
/** 2.89: `attachment_id` of a volume attachment. */
const HEADERS = { 'openstack-api-version': 'compute 2.89', 'content-type': 'application/json' };

/** What block storage asks of and tells Nova, as the service user. */
export interface ComputeApi {
  /** The attachment that Nova uses for a server's volume; null when it has none. @throws ApiError 503 when Nova does not tell */
  attachmentOf(serverId: string, volumeId: string): Promise<string | null>;
  /** External event `volume-extended`. Whether every server's host has taken it. */
  volumeExtended(volumeId: string, serverIds: readonly string[]): Promise<boolean>;
}

/** Nova's REST API. `url` is `http://…/compute/v2.1`. */
export function createComputeApi(url: () => string, token: () => Promise<string>): ComputeApi {
  const ask = async (method: 'GET' | 'POST', path: string, body?: unknown) =>
    request(`${url()}${path}`, {
      method,
      headers: { ...HEADERS, 'x-auth-token': await token() },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  return {
    async attachmentOf(serverId, volumeId) {
      const path = `/servers/${encodeURIComponent(serverId)}/os-volume_attachments/${encodeURIComponent(volumeId)}`;
      const answer = await ask('GET', path).catch((error: unknown) => {
        throw new ApiError(503, 'Nova does not answer.', { cause: error });
      });
      if (answer.statusCode === 200) {
        const { volumeAttachment } = z
          .object({ volumeAttachment: z.looseObject({ attachment_id: z.string().nullish() }) })
          .parse(await answer.body.json());
        return volumeAttachment.attachment_id ?? null;
      }
      await answer.body.dump();
      if (answer.statusCode === 404) return null;
      throw new ApiError(503, `Nova answered ${answer.statusCode} when it was asked for the volume.`);
    },
    async volumeExtended(volumeId, serverIds) {
      const events = serverIds.map((server) => ({
        server_uuid: server,
        name: 'volume-extended',
        tag: volumeId,
        status: 'completed',
      }));
      const answer = await ask('POST', '/os-server-external-events', { events });
      await answer.body.dump();
      return answer.statusCode === 200;
    },
  };
}
