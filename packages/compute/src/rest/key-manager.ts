import type { SecretSource } from '@nova-hyperv/driver';
import { z } from 'zod';
import { RestClient, segment, type CallOptions, type RestClientOptions } from './rest-client.js';

/** Shielding data files are some ten to hundred kilobytes. */
const LARGEST_CONTAINER = 4 * 1024 * 1024;
const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';

const containerSchema = z.looseObject({
  creator_id: z.string().nullish(),
  secret_refs: z.array(z.looseObject({ name: z.string().nullish(), secret_ref: z.string() })),
});
const secretSchema = z.looseObject({ creator_id: z.string().nullish() });

/** What a reference names cannot be used as what it is asked for. */
export class SecretError extends Error {
  readonly code = 'SECRET_UNUSABLE';
  constructor(message: string) {
    super(message);
    this.name = 'SecretError';
  }
}

export interface KeyManagerClient {
  /**
   * Secrets for one request. Only what `userId` made is read: the compute service's own rights reach further than those of the user who
   * wrote the reference.
   */
  secretSource(userId: string, options?: { readonly requestId?: string }): SecretSource;
  close(): Promise<void>;
}

/** Barbican, Key Manager API v1. Base URL without or with `/v1`. References are looked up there, wherever they say they are. */
export function createKeyManagerClient(options: Omit<RestClientOptions, 'service'>): KeyManagerClient {
  const rest = new RestClient({ ...options, service: 'key-manager' });
  return {
    secretSource: (userId, { requestId } = {}) => ({
      readContainer: (containerRef, call = {}) =>
        readContainer(rest, containerRef, userId, {
          ...call,
          ...(requestId === undefined ? {} : { requestId }),
        }),
    }),
    close: () => rest.close(),
  };
}

async function readContainer(
  rest: RestClient,
  containerRef: string,
  userId: string,
  call: CallOptions,
): Promise<Uint8Array> {
  const path = `/v1/containers/${segment(idOf(containerRef, 'containers'))}`;
  const container = await rest.json({ ...call, method: 'GET', path }, containerSchema);
  requireCreator(container.creator_id, userId, 'container');
  const parts: Buffer[] = [];
  let room = LARGEST_CONTAINER;
  for (const secretRef of numbered(container.secret_refs)) {
    const part = await readSecret(rest, idOf(secretRef, 'secrets'), userId, call, room);
    parts.push(part);
    room -= part.length;
  }
  return Buffer.concat(parts);
}

function idOf(reference: string, kind: 'containers' | 'secrets'): string {
  const id = new RegExp(`/v1/${kind}/(${UUID})/?$`, 'i').exec(reference)?.[1];
  if (id === undefined)
    throw new SecretError(`'${reference.slice(0, 200)}' is no reference to ${kind} of a key manager.`);
  return id.toLowerCase();
}

/** The secrets named 1 to n, in that order. */
function numbered(references: z.infer<typeof containerSchema>['secret_refs']): readonly string[] {
  const byNumber = new Map(references.map(({ name, secret_ref }) => [name ?? '', secret_ref]));
  const ordered = references.map((_, index) => byNumber.get(String(index + 1)));
  if (ordered.length === 0 || ordered.includes(undefined))
    throw new SecretError(
      `The container must hold the parts of one file as secrets named 1 to n; it holds ${[...byNumber.keys()].join(', ') || 'none'}.`,
    );
  return ordered.filter((reference) => reference !== undefined);
}

function requireCreator(creator: string | null | undefined, userId: string, what: string): void {
  if (creator === userId) return;
  throw new SecretError(`The ${what} was not made by the user whose instance this is.`);
}

async function readSecret(
  rest: RestClient,
  id: string,
  userId: string,
  call: CallOptions,
  room: number,
): Promise<Buffer> {
  const path = `/v1/secrets/${segment(id)}`;
  const secret = await rest.json({ ...call, method: 'GET', path }, secretSchema);
  requireCreator(secret.creator_id, userId, 'secret');
  const headers = { accept: 'application/octet-stream' };
  const request = { ...call, method: 'GET', path: `${path}/payload`, headers } as const;
  const { body } = await rest.stream(request);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const bytes of body as AsyncIterable<Buffer>) {
      size += bytes.length;
      if (size > room) throw new SecretError('The container holds more than a shielding data file can have.');
      chunks.push(bytes);
    }
  } catch (error) {
    body.destroy();
    throw error instanceof SecretError ? error : rest.failure(request, error);
  }
  return Buffer.concat(chunks);
}
