import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { request, type Dispatcher } from 'undici';
import { z } from 'zod';
import { ApiError } from '../../kernel/errors.js';

const TIMEOUT_MS = 30_000;
/** A transfer in which nothing moves for so long is given up, ms. */
const STALL_MS = 120_000;

const PATCH_TYPE = 'application/openstack-images-v2.1-json-patch';

const IMAGE = z.looseObject({
  id: z.string(),
  name: z.string().nullish(),
  status: z.string(),
  size: z.number().nullish(),
  min_disk: z.number().default(0),
  min_ram: z.number().default(0),
  disk_format: z.string().nullish(),
  container_format: z.string().nullish(),
  checksum: z.string().nullish(),
});

/** Glance's own members (cinder.conf `glance_core_properties` and image API v2); the others are an image's properties. */
const CORE = new Set([
  'id',
  'name',
  'status',
  'size',
  'min_disk',
  'min_ram',
  'disk_format',
  'container_format',
  'checksum',
  'owner',
  'visibility',
  'protected',
  'tags',
  'created_at',
  'updated_at',
  'self',
  'file',
  'schema',
  'os_hidden',
  'os_hash_algo',
  'os_hash_value',
  'virtual_size',
  'direct_url',
  'locations',
  'stores',
]);

export interface Image {
  readonly id: string;
  readonly name: string | null;
  readonly status: string;
  /** bytes */
  readonly size: number;
  /** GiB */
  readonly minDisk: number;
  /** MiB */
  readonly minRam: number;
  readonly diskFormat: string;
  readonly containerFormat: string;
  readonly checksum: string | null;
  readonly properties: Readonly<Record<string, string>>;
}

export interface NewImage {
  /** Chosen by who asks, so that it is known before the image is there. */
  readonly id: string;
  readonly name: string;
  readonly diskFormat: string;
  readonly containerFormat: string;
  readonly visibility: string;
  readonly protected: boolean;
  readonly properties: Readonly<Record<string, string>>;
}

/** What block storage asks of Glance, always with a token that says for whom. */
export interface ImageApi {
  /** Null when there is none that the token's owner may see. */
  get(id: string, token: string): Promise<Image | null>;
  /** Ids of the images with a name. */
  named(name: string, token: string): Promise<readonly string[]>;
  create(image: NewImage, token: string): Promise<void>;
  /** Also a protected one. Harmless when it is gone. */
  remove(id: string, token: string): Promise<void>;
  /** Writes the image's data to a new file. */
  download(id: string, path: string, token: string, signal: AbortSignal): Promise<void>;
  /** Gives a queued image its data. */
  upload(id: string, path: string, token: string, signal: AbortSignal): Promise<void>;
}

function toImage(value: unknown): Image {
  const image = IMAGE.parse(value);
  const properties = Object.entries(image).filter(
    ([name, text]) => !CORE.has(name) && typeof text === 'string',
  );
  return {
    id: image.id,
    name: image.name ?? null,
    status: image.status,
    size: image.size ?? 0,
    minDisk: image.min_disk,
    minRam: image.min_ram,
    diskFormat: image.disk_format ?? '',
    containerFormat: image.container_format ?? '',
    checksum: image.checksum ?? null,
    properties: Object.fromEntries(properties.map(([name, text]) => [name, String(text)])),
  };
}

type Answer = Dispatcher.ResponseData;

async function refused(what: string, answer: Answer): Promise<ApiError> {
  const text = (await answer.body.text())
    .replaceAll(/<[^>]*>|\s+/g, ' ')
    .trim()
    .slice(0, 300);
  return new ApiError(answer.statusCode >= 500 ? 503 : answer.statusCode, `${what}: Glance answered ${text}`);
}

const imagePath = (id: string): string => `/v2/images/${encodeURIComponent(id)}`;

/** Glance's REST API v2. `url` is `http://…/image`. */
export function createImageApi(url: () => string): ImageApi {
  const ask = async (
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    path: string,
    token: string,
    body?: unknown,
  ): Promise<Answer> => {
    try {
      return await request(`${url()}${path}`, {
        method,
        headers: {
          'x-auth-token': token,
          ...(body === undefined
            ? {}
            : { 'content-type': method === 'PATCH' ? PATCH_TYPE : 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch (error) {
      throw new ApiError(503, 'Glance does not answer.', { cause: error });
    }
  };
  return {
    async get(id, token) {
      const answer = await ask('GET', imagePath(id), token);
      if (answer.statusCode === 200) return toImage(await answer.body.json());
      if (answer.statusCode !== 404 && answer.statusCode !== 400) throw await refused('image', answer);
      await answer.body.dump();
      return null;
    },
    async named(name, token) {
      const answer = await ask('GET', `/v2/images?name=${encodeURIComponent(name)}`, token);
      if (answer.statusCode !== 200) throw await refused('images', answer);
      return z
        .object({ images: z.array(z.object({ id: z.string() })) })
        .parse(await answer.body.json())
        .images.map(({ id }) => id);
    },
    async create(image, token) {
      const answer = await ask('POST', '/v2/images', token, {
        ...image.properties,
        id: image.id,
        name: image.name,
        disk_format: image.diskFormat,
        container_format: image.containerFormat,
        visibility: image.visibility,
        protected: image.protected,
      });
      if (answer.statusCode !== 201) throw await refused('new image', answer);
      await answer.body.dump();
    },
    async remove(id, token) {
      let answer = await ask('DELETE', imagePath(id), token);
      if (answer.statusCode === 403) {
        await answer.body.dump();
        const unprotect = [{ op: 'replace', path: '/protected', value: false }];
        await (await ask('PATCH', imagePath(id), token, unprotect)).body.dump();
        answer = await ask('DELETE', imagePath(id), token);
      }
      if (answer.statusCode >= 300 && answer.statusCode !== 404) throw await refused('image', answer);
      await answer.body.dump();
    },
    download: (id, path, token, signal) => download(`${url()}${imagePath(id)}/file`, path, token, signal),
    upload: (id, path, token, signal) => upload(`${url()}${imagePath(id)}/file`, path, token, signal),
  };
}

async function download(url: string, path: string, token: string, signal: AbortSignal): Promise<void> {
  const answer = await request(url, { headers: { 'x-auth-token': token }, signal, bodyTimeout: STALL_MS });
  if (answer.statusCode !== 200) throw await refused('data of the image', answer);
  try {
    await pipeline(answer.body, createWriteStream(path, { flags: 'wx', mode: 0o600 }), { signal });
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

async function upload(url: string, path: string, token: string, signal: AbortSignal): Promise<void> {
  const answer = await request(url, {
    method: 'PUT',
    headers: { 'x-auth-token': token, 'content-type': 'application/octet-stream' },
    body: createReadStream(path),
    signal,
    headersTimeout: STALL_MS,
  });
  if (answer.statusCode !== 204) throw await refused('data of the image', answer);
  await answer.body.dump();
}
