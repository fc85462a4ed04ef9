import type { ConnectionInfo } from '@nova-hyperv/driver';
import { z } from 'zod';
import { ComputeError, type ComputeExceptionName } from '../errors.js';
import {
  RestClient,
  segment,
  type CallOptions,
  type RestClientOptions,
  type TokenSource,
} from './rest-client.js';
import { RestError } from './rest-error.js';

/** 3.44: attachments are completed; 3.67: the project need not stand in the path. */
const MICROVERSION = '3.67';

/** A volume as Nova looks at it (nova/volume/cinder.py, _untranslate_volume_summary_view). */
export interface CinderVolume {
  readonly id: string;
  /** creating, downloading, available, reserved, attaching, in-use, detaching, error … */
  readonly status: string;
  readonly sizeGb: number;
  readonly availabilityZone: string;
  readonly bootable: boolean;
  readonly multiattach: boolean;
  readonly encrypted: boolean;
  readonly volumeType: string | null;
  /** Empty for those who may not see it. */
  readonly projectId: string;
  readonly attachments: readonly { readonly serverId: string; readonly attachmentId: string }[];
  /** What it has of the image that it was made from; empty when it was made from none. */
  readonly imageMetadata: Readonly<Record<string, string>>;
}

export interface CinderSnapshot {
  readonly id: string;
  readonly status: string;
  readonly volumeId: string;
  readonly sizeGb: number;
}

export interface NewVolume {
  readonly name: string;
  readonly sizeGb: number;
  readonly imageId?: string;
  readonly snapshotId?: string;
  readonly volumeType?: string;
  readonly availabilityZone?: string;
}

export interface CinderAttachment {
  readonly id: string;
  readonly volumeId: string;
  readonly instanceUuid: string;
  readonly status: string;
}

/** Whose rights a request is made with, where they are not the service's own. */
export interface OnBehalfOf {
  readonly userId: string;
  readonly projectId: string;
}

/**
 * What Nova asks of Cinder. Every method throws ComputeError with Nova's name for what Cinder refuses (VolumeNotFound, SnapshotNotFound,
 * VolumeAttachmentNotFound, OverQuota, InvalidInput, Forbidden), RestError for trouble, or the signal's reason.
 */
export interface CinderClient {
  volume(volumeId: string, call?: CallOptions): Promise<CinderVolume>;
  snapshot(snapshotId: string, call?: CallOptions): Promise<CinderSnapshot>;
  /** Belongs to the project of `owner`. */
  createVolume(volume: NewVolume, owner: OnBehalfOf, call?: CallOptions): Promise<CinderVolume>;
  deleteVolume(volumeId: string, call?: CallOptions): Promise<void>;
  /** available -> reserved. Returns the attachment's id. */
  reserve(volumeId: string, instanceUuid: string, call?: CallOptions): Promise<string>;
  /** Tells Cinder of the host, learns how to connect: reserved -> attaching. */
  connect(
    attachmentId: string,
    connector: Readonly<Record<string, unknown>>,
    mountpoint: string | null,
    call?: CallOptions,
  ): Promise<ConnectionInfo>;
  /** attaching -> in-use. */
  complete(attachmentId: string, call?: CallOptions): Promise<void>;
  /** The volume is available again, if nobody else has it. */
  deleteAttachment(attachmentId: string, call?: CallOptions): Promise<void>;
  attachments(
    filter: { readonly instanceUuid?: string; readonly volumeId?: string },
    call?: CallOptions,
  ): Promise<readonly CinderAttachment[]>;
  /** in-use -> detaching. */
  beginDetaching(volumeId: string, call?: CallOptions): Promise<void>;
  /** detaching -> in-use. */
  rollDetaching(volumeId: string, call?: CallOptions): Promise<void>;
  close(): Promise<void>;
}

const text = z.string().nullish();
const flag = z
  .union([z.boolean(), z.string().transform((value) => value.toLowerCase() === 'true')])
  .nullish();
const volumeSchema = z.looseObject({
  id: z.string(),
  status: z.string(),
  size: z.number(),
  availability_zone: text,
  bootable: flag,
  multiattach: flag,
  encrypted: flag,
  volume_type: text,
  'os-vol-tenant-attr:tenant_id': text,
  attachments: z.array(z.looseObject({ server_id: text, attachment_id: text })).default([]),
  volume_image_metadata: z.record(z.string(), z.unknown()).nullish(),
});
const snapshotSchema = z.looseObject({
  id: z.string(),
  status: z.string(),
  volume_id: z.string(),
  size: z.number(),
});
const attachmentSchema = z.looseObject({
  id: z.string(),
  volume_id: z.string(),
  instance: text,
  status: text,
  connection_info: z.record(z.string(), z.unknown()).nullish(),
});
type AttachmentBody = z.infer<typeof attachmentSchema>;

function toVolume(volume: z.infer<typeof volumeSchema>): CinderVolume {
  return {
    id: volume.id,
    status: volume.status,
    sizeGb: volume.size,
    availabilityZone: volume.availability_zone ?? '',
    bootable: volume.bootable ?? false,
    multiattach: volume.multiattach ?? false,
    encrypted: volume.encrypted ?? false,
    volumeType: volume.volume_type ?? null,
    projectId: volume['os-vol-tenant-attr:tenant_id'] ?? '',
    attachments: volume.attachments.map((one) => ({
      serverId: one.server_id ?? '',
      attachmentId: one.attachment_id ?? '',
    })),
    imageMetadata: Object.fromEntries(
      Object.entries(volume.volume_image_metadata ?? {}).map(([key, value]) => [key, String(value)]),
    ),
  };
}

const toAttachment = (body: AttachmentBody): CinderAttachment => ({
  id: body.id,
  volumeId: body.volume_id,
  instanceUuid: body.instance ?? '',
  status: body.status ?? '',
});

/** Nova's old form: the type beside the data (_translate_attachment_ref). */
function toConnection({ connection_info: info }: AttachmentBody): ConnectionInfo {
  const { driver_volume_type: type, attachment_id: _id, data, ...rest } = info ?? {};
  const inner = typeof data === 'object' && data !== null ? Object.fromEntries(Object.entries(data)) : rest;
  return { driverVolumeType: typeof type === 'string' ? type : '', data: inner };
}

const NOT_FOUND = {
  volume: ['VolumeNotFound', (id: string) => `Volume ${id} could not be found.`],
  snapshot: ['SnapshotNotFound', (id: string) => `Snapshot ${id} could not be found.`],
  attachment: ['VolumeAttachmentNotFound', (id: string) => `Volume attachment ${id} could not be found.`],
} as const satisfies Record<string, readonly [ComputeExceptionName, (id: string) => string]>;
type Kind = keyof typeof NOT_FOUND;

/** Nova's exception for what Cinder answered; the error itself where Nova has none. */
function novaError(error: unknown, kind: Kind, id: string): unknown {
  if (!(error instanceof RestError) || error.status === null) return error;
  const said = error.serviceMessage === '' ? error.message : error.serviceMessage;
  const options = { cause: error };
  if (error.status === 404) {
    const [name, message] = NOT_FOUND[kind];
    return new ComputeError(name, message(id), options);
  }
  if (error.status === 413) return new ComputeError('OverQuota', said, options);
  if (error.status === 400 || error.status === 409)
    return new ComputeError('InvalidInput', `Invalid input received: ${said}`, options);
  return error.status === 403 ? new ComputeError('Forbidden', said, options) : error;
}

/** Base URL without, with `/v3`, or with a project after it. */
function split(baseUrl: string): { readonly base: string; readonly root: string } {
  const { origin, pathname } = new URL(baseUrl);
  const match = /^(.*?)\/v3(\/[^/]+)?\/*$/.exec(pathname);
  const project = match?.[2] ?? '';
  return { base: `${origin}${match?.[1] ?? pathname.replace(/\/+$/, '')}`, root: `/v3${project}` };
}

export interface CinderClientOptions extends Omit<RestClientOptions, 'service'> {
  /** Tokens of users, for volumes that are to be theirs. Without it they are the service's. */
  readonly tokensOf?: (user: OnBehalfOf) => TokenSource;
}

/** Cinder, Block Storage API v3. */
export function createCinderClient(options: CinderClientOptions): CinderClient {
  const { tokensOf, ...rest } = options;
  return new Cinder({ ...rest, service: 'volume' }, tokensOf);
}

class Cinder implements CinderClient {
  readonly #rest: RestClient;
  readonly #root: string;
  readonly #tokensOf: CinderClientOptions['tokensOf'];

  constructor(options: RestClientOptions, tokensOf: CinderClientOptions['tokensOf']) {
    const { base, root } = split(options.baseUrl);
    this.#rest = new RestClient({ ...options, baseUrl: base });
    this.#root = root;
    this.#tokensOf = tokensOf;
  }

  async #ask<T>(
    about: readonly [Kind, string],
    request: {
      readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
      readonly path: string;
      readonly body?: unknown;
      readonly query?: Readonly<Record<string, string>>;
      readonly tokens?: TokenSource;
      readonly call: CallOptions | undefined;
    },
    schema: z.ZodType<T>,
  ): Promise<T> {
    const { call, path, ...rest } = request;
    const headers = { 'openstack-api-version': `volume ${MICROVERSION}` };
    const full = { ...call, ...rest, path: `${this.#root}${path}`, headers };
    try {
      return await this.#rest.json(full, schema);
    } catch (error) {
      throw novaError(error, ...about);
    }
  }

  async #tell(
    about: readonly [Kind, string],
    request: {
      readonly method: 'POST' | 'DELETE';
      readonly path: string;
      readonly body?: unknown;
      readonly call: CallOptions | undefined;
    },
  ): Promise<void> {
    const { call, path, ...rest } = request;
    const headers = { 'openstack-api-version': `volume ${MICROVERSION}` };
    try {
      await this.#rest.done({ ...call, ...rest, path: `${this.#root}${path}`, headers });
    } catch (error) {
      throw novaError(error, ...about);
    }
  }

  async volume(volumeId: string, call?: CallOptions): Promise<CinderVolume> {
    const path = `/volumes/${segment(volumeId)}`;
    const schema = z.looseObject({ volume: volumeSchema });
    const { volume } = await this.#ask(['volume', volumeId], { method: 'GET', path, call }, schema);
    return toVolume(volume);
  }

  async snapshot(snapshotId: string, call?: CallOptions): Promise<CinderSnapshot> {
    const path = `/snapshots/${segment(snapshotId)}`;
    const schema = z.looseObject({ snapshot: snapshotSchema });
    const { snapshot } = await this.#ask(['snapshot', snapshotId], { method: 'GET', path, call }, schema);
    return { id: snapshot.id, status: snapshot.status, volumeId: snapshot.volume_id, sizeGb: snapshot.size };
  }

  async createVolume(wanted: NewVolume, owner: OnBehalfOf, call?: CallOptions): Promise<CinderVolume> {
    const tokens = this.#tokensOf?.(owner);
    const volume = {
      name: wanted.name,
      description: '',
      size: wanted.sizeGb,
      metadata: {},
      ...(wanted.imageId === undefined ? {} : { imageRef: wanted.imageId }),
      ...(wanted.snapshotId === undefined ? {} : { snapshot_id: wanted.snapshotId }),
      ...(wanted.volumeType === undefined ? {} : { volume_type: wanted.volumeType }),
      ...(wanted.availabilityZone === undefined ? {} : { availability_zone: wanted.availabilityZone }),
    };
    const about =
      wanted.snapshotId === undefined
        ? (['volume', ''] as const)
        : (['snapshot', wanted.snapshotId] as const);
    const answer = await this.#ask(
      about,
      {
        method: 'POST',
        path: '/volumes',
        body: { volume },
        call,
        ...(tokens === undefined ? {} : { tokens }),
      },
      z.looseObject({ volume: volumeSchema }),
    );
    return toVolume(answer.volume);
  }

  deleteVolume(volumeId: string, call?: CallOptions): Promise<void> {
    const path = `/volumes/${segment(volumeId)}`;
    return this.#tell(['volume', volumeId], { method: 'DELETE', path, call });
  }

  async reserve(volumeId: string, instanceUuid: string, call?: CallOptions): Promise<string> {
    const body = { attachment: { volume_uuid: volumeId, instance_uuid: instanceUuid, connector: null } };
    const { attachment } = await this.#ask(
      ['volume', volumeId],
      { method: 'POST', path: '/attachments', body, call },
      z.looseObject({ attachment: attachmentSchema }),
    );
    return attachment.id;
  }

  async connect(
    attachmentId: string,
    connector: Readonly<Record<string, unknown>>,
    mountpoint: string | null,
    call?: CallOptions,
  ): Promise<ConnectionInfo> {
    const mounted = mountpoint === null ? connector : { ...connector, mountpoint };
    const { attachment } = await this.#ask(
      ['attachment', attachmentId],
      {
        method: 'PUT',
        path: `/attachments/${segment(attachmentId)}`,
        body: { attachment: { connector: mounted } },
        call,
      },
      z.looseObject({ attachment: attachmentSchema }),
    );
    return toConnection(attachment);
  }

  complete(attachmentId: string, call?: CallOptions): Promise<void> {
    const path = `/attachments/${segment(attachmentId)}/action`;
    return this.#tell(['attachment', attachmentId], {
      method: 'POST',
      path,
      body: { 'os-complete': null },
      call,
    });
  }

  deleteAttachment(attachmentId: string, call?: CallOptions): Promise<void> {
    const path = `/attachments/${segment(attachmentId)}`;
    return this.#tell(['attachment', attachmentId], { method: 'DELETE', path, call });
  }

  async attachments(
    filter: { readonly instanceUuid?: string; readonly volumeId?: string },
    call?: CallOptions,
  ): Promise<readonly CinderAttachment[]> {
    const query = {
      all_tenants: '1',
      ...(filter.instanceUuid === undefined ? {} : { instance_id: filter.instanceUuid }),
      ...(filter.volumeId === undefined ? {} : { volume_id: filter.volumeId }),
    };
    const { attachments } = await this.#ask(
      ['volume', filter.volumeId ?? ''],
      { method: 'GET', path: '/attachments', query, call },
      z.looseObject({ attachments: z.array(attachmentSchema) }),
    );
    const found = attachments.map(toAttachment);
    return found.filter(
      (one) =>
        (filter.instanceUuid === undefined || one.instanceUuid === filter.instanceUuid) &&
        (filter.volumeId === undefined || one.volumeId === filter.volumeId),
    );
  }

  beginDetaching(volumeId: string, call?: CallOptions): Promise<void> {
    return this.#action(volumeId, 'os-begin_detaching', call);
  }

  rollDetaching(volumeId: string, call?: CallOptions): Promise<void> {
    return this.#action(volumeId, 'os-roll_detaching', call);
  }

  #action(volumeId: string, action: string, call: CallOptions | undefined): Promise<void> {
    const path = `/volumes/${segment(volumeId)}/action`;
    return this.#tell(['volume', volumeId], { method: 'POST', path, body: { [action]: {} }, call });
  }

  close(): Promise<void> {
    return this.#rest.close();
  }
}
