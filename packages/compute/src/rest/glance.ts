import { createReadStream } from 'node:fs';
import type { ImageMeta, ImageSource } from '@nova-hyperv/driver';
import { z } from 'zod';
import { downloadToFile } from './glance-download.js';
import { AmbiguousNameError, isStatus } from './rest-error.js';
import { RestClient, segment, type CallOptions, type RestClientOptions } from './rest-client.js';

/** An image as Glance shows it: what Nova's ImageMeta has, and what else the compute service checks. */
export interface GlanceImage {
  readonly meta: ImageMeta;
  /** `active` when its bytes may be used; queued, saving, deactivated, … */
  readonly status: string;
  readonly owner: string | null;
  readonly visibility: string;
  /** MD5 in hex, null before upload. */
  readonly checksum: string | null;
  readonly osHashAlgo: string | null;
  readonly osHashValue: string | null;
}

export interface GlanceClient {
  /** @throws RestError status 404 when there is no such image or it may not be seen */
  show(imageId: string, options?: CallOptions): Promise<GlanceImage>;
  /** By id, else by name. Undefined when there is none. @throws RestError; AmbiguousNameError for a name that several images have */
  find(nameOrId: string, options?: CallOptions): Promise<GlanceImage | undefined>;
  /**
   * Writes the image's bytes to a new file; the hash that Glance tells is checked, nothing stays on failure.
   * @throws RestError, ImageDownloadError, or the signal's reason
   */
  download(
    imageId: string,
    targetPath: string,
    options?: CallOptions & { readonly onProgress?: (doneBytes: number, totalBytes: number) => void },
  ): Promise<void>;
  /** An image without data yet. Properties stand beside Glance's own attributes. @throws RestError */
  create(image: Readonly<Record<string, unknown>>, options?: CallOptions): Promise<GlanceImage>;
  /** Gives an image its format and its data. @throws RestError, or the signal's reason */
  upload(
    imageId: string,
    file: { readonly path: string; readonly diskFormat: string },
    options?: CallOptions,
  ): Promise<void>;
  /** Harmless when there is none. */
  delete(imageId: string, options?: CallOptions): Promise<void>;
  /** Ids of images of this instance that never got their data. */
  unfinishedSnapshots(instanceUuid: string, options?: CallOptions): Promise<readonly string[]>;
  /** The same as the driver wants it, for one request. */
  imageSource(options?: { readonly requestId?: string }): ImageSource;
  close(): Promise<void>;
}

/** Attributes of Glance's image schema itself (GET /v2/schemas/image); every other key is a property of the image. */
// prettier-ignore
const BASE_ATTRIBUTES: ReadonlySet<string> = new Set([
  'checksum', 'container_format', 'created_at', 'direct_url', 'disk_format', 'file', 'id', 'locations', 'min_disk', 'min_ram', 'name',
  'os_hash_algo', 'os_hash_value', 'os_hidden', 'owner', 'protected', 'schema', 'self', 'size', 'status', 'stores', 'tags', 'updated_at',
  'virtual_size', 'visibility',
]);

const imageSchema = z.looseObject({
  id: z.string(),
  name: z.string().nullish(),
  status: z.string(),
  disk_format: z.string().nullish(),
  container_format: z.string().nullish(),
  size: z.number().nullish(),
  min_disk: z.number().nullish(),
  min_ram: z.number().nullish(),
  owner: z.string().nullish(),
  visibility: z.string().nullish(),
  checksum: z.string().nullish(),
  os_hash_algo: z.string().nullish(),
  os_hash_value: z.string().nullish(),
});

function propertiesOf(image: Readonly<Record<string, unknown>>): Record<string, string> {
  const properties: Record<string, string> = {};
  for (const [key, value] of Object.entries(image)) {
    if (BASE_ATTRIBUTES.has(key) || value === null || value === undefined) continue;
    properties[key] = typeof value === 'string' ? value : JSON.stringify(value);
  }
  return properties;
}

/** Glance's flat image (Image API v2, GET /v2/images/{id}) as the driver's {@link ImageMeta} and the rest. */
export function toGlanceImage(image: z.infer<typeof imageSchema>): GlanceImage {
  return {
    meta: {
      id: image.id,
      name: image.name ?? '',
      diskFormat: image.disk_format ?? '',
      containerFormat: image.container_format ?? '',
      sizeBytes: image.size ?? 0,
      minDiskGb: image.min_disk ?? 0,
      minRamMb: image.min_ram ?? 0,
      properties: propertiesOf(image),
    },
    status: image.status,
    owner: image.owner ?? null,
    visibility: image.visibility ?? 'private',
    checksum: image.checksum ?? null,
    osHashAlgo: image.os_hash_algo ?? null,
    osHashValue: image.os_hash_value ?? null,
  };
}

/** Glance, Image API v2. Base URL without or with `/v2`. */
export function createGlanceClient(options: Omit<RestClientOptions, 'service'>): GlanceClient {
  const rest = new RestClient({ ...options, service: 'image' });
  const show = async (imageId: string, call: CallOptions = {}): Promise<GlanceImage> =>
    toGlanceImage(
      await rest.json({ ...call, method: 'GET', path: `/v2/images/${segment(imageId)}` }, imageSchema),
    );
  const client: GlanceClient = {
    show,
    async find(nameOrId, call = {}) {
      try {
        return await show(nameOrId, call);
      } catch (error) {
        if (!isStatus(error, 404) && !isStatus(error, 400)) throw error;
      }
      const { images } = await rest.json(
        { ...call, method: 'GET', path: '/v2/images', query: { name: nameOrId } },
        z.object({ images: z.array(imageSchema) }),
      );
      if (images.length > 1) throw new AmbiguousNameError('images', nameOrId, images.length);
      return images[0] === undefined ? undefined : toGlanceImage(images[0]);
    },
    async download(imageId, targetPath, call = {}) {
      const { onProgress, ...rest_ } = call;
      const image = await show(imageId, rest_);
      await downloadToFile(rest, image, targetPath, {
        ...rest_,
        ...(onProgress === undefined ? {} : { onProgress }),
      });
    },
    create: async (image, call = {}) =>
      toGlanceImage(
        await rest.json({ ...call, method: 'POST', path: '/v2/images', body: image }, imageSchema),
      ),
    async upload(imageId, { path, diskFormat }, call = {}) {
      const image = `/v2/images/${segment(imageId)}`;
      await rest.done({
        ...call,
        method: 'PATCH',
        path: image,
        headers: { 'content-type': 'application/openstack-images-v2.1-json-patch' },
        body: [
          { op: 'replace', path: '/disk_format', value: diskFormat },
          { op: 'replace', path: '/container_format', value: 'bare' },
        ],
      });
      const content = (): ReturnType<typeof createReadStream> => createReadStream(path);
      const sent = await rest.stream({ ...call, method: 'PUT', path: `${image}/file`, content });
      await sent.body.dump();
    },
    async delete(imageId, call = {}) {
      try {
        await rest.done({ ...call, method: 'DELETE', path: `/v2/images/${segment(imageId)}` });
      } catch (error) {
        if (!isStatus(error, 404)) throw error;
      }
    },
    async unfinishedSnapshots(instanceUuid, call = {}) {
      const query = { instance_uuid: instanceUuid, image_type: 'snapshot', status: 'queued' };
      const { images } = await rest.json(
        { ...call, method: 'GET', path: '/v2/images', query },
        z.object({ images: z.array(imageSchema) }),
      );
      return images.map(({ id }) => id);
    },
    imageSource: ({ requestId } = {}) => ({
      download: (imageId, targetPath, call) =>
        client.download(imageId, targetPath, { ...call, ...(requestId === undefined ? {} : { requestId }) }),
    }),
    close: () => rest.close(),
  };
  return client;
}
