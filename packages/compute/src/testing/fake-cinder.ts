import { randomUUID } from 'node:crypto';
import type { Answer, FakeRoute, SeenRequest } from './fake-openstack.js';

export interface FakeVolume {
  status: string;
  size: number;
  projectId: string;
  bootable: boolean;
  multiattach: boolean;
  encrypted: boolean;
  imageMetadata: Record<string, string>;
  source: unknown;
}

export interface FakeAttachment {
  readonly volumeId: string;
  readonly instance: string;
  status: 'reserved' | 'attaching' | 'attached';
  connector: unknown;
}

const json = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const fault = (status: number, message: string): Answer => ({
  status,
  body: { fault: { code: status, message } },
});

/** Cinder's volumes and attachments in memory, with its states. The secret of every connection is `top-secret`. */
export class FakeCinder {
  readonly volumes = new Map<string, FakeVolume>();
  readonly attachments = new Map<string, FakeAttachment>();
  readonly deleted: string[] = [];
  /** How often a new volume is looked at before it is ready; what becomes of it then. */
  looksUntilMade = 1;
  made = 'available';
  readonly #looks = new Map<string, number>();

  add(id: string, changes: Partial<FakeVolume> = {}): void {
    this.volumes.set(id, {
      status: 'available',
      size: 1,
      projectId: 'p1',
      bootable: false,
      multiattach: false,
      encrypted: false,
      imageMetadata: {},
      source: null,
      ...changes,
    });
  }

  statuses(): Record<string, string> {
    return Object.fromEntries([...this.volumes].map(([id, { status }]) => [id, status]));
  }

  readonly routes: readonly FakeRoute[] = [
    ['GET', /^\/volume\/v3\/volumes\/([^/]+)$/, (_, [, id = '']) => this.#show(id)],
    ['POST', /^\/volume\/v3\/volumes$/, (request) => this.#create(request)],
    ['DELETE', /^\/volume\/v3\/volumes\/([^/]+)$/, (_, [, id = '']) => this.#delete(id)],
    [
      'POST',
      /^\/volume\/v3\/volumes\/([^/]+)\/action$/,
      ({ body }, [, id = '']) => this.#act(id, json(body)),
    ],
    [
      'GET',
      /^\/volume\/v3\/snapshots\/([^/]+)$/,
      (_, [, id = '']) => ({
        status: 200,
        body: { snapshot: { id, status: 'available', volume_id: 'v', size: 3 } },
      }),
    ],
    ['GET', /^\/volume\/v3\/attachments$/, ({ query }) => this.#list(query)],
    ['POST', /^\/volume\/v3\/attachments$/, ({ body }) => this.#reserve(json(json(body)['attachment']))],
    [
      'PUT',
      /^\/volume\/v3\/attachments\/([^/]+)$/,
      ({ body }, [, id = '']) => this.#connect(id, json(json(body)['attachment'])['connector']),
    ],
    ['POST', /^\/volume\/v3\/attachments\/([^/]+)\/action$/, (_, [, id = '']) => this.#complete(id)],
    ['DELETE', /^\/volume\/v3\/attachments\/([^/]+)$/, (_, [, id = '']) => this.#end(id)],
  ];

  #view(id: string, volume: FakeVolume): object {
    return {
      id,
      status: volume.status,
      size: volume.size,
      availability_zone: 'nova',
      bootable: String(volume.bootable),
      multiattach: volume.multiattach,
      encrypted: volume.encrypted,
      volume_type: null,
      'os-vol-tenant-attr:tenant_id': volume.projectId,
      attachments: [...this.attachments]
        .filter(([, one]) => one.volumeId === id)
        .map(([attachmentId, { instance }]) => ({ server_id: instance, attachment_id: attachmentId })),
      volume_image_metadata: volume.imageMetadata,
    };
  }

  #show(id: string): Answer {
    const volume = this.volumes.get(id);
    if (volume === undefined) return fault(404, `Volume ${id} could not be found.`);
    const looks = this.#looks.get(id);
    if (looks !== undefined && volume.status === 'creating') {
      this.#looks.set(id, looks - 1);
      if (looks <= 1) volume.status = this.made;
    }
    return { status: 200, body: { volume: this.#view(id, volume) } };
  }

  #create({ body, headers }: SeenRequest): Answer {
    const wanted = json(json(body)['volume']);
    const id = randomUUID();
    this.add(id, {
      status: 'creating',
      size: Number(wanted['size']),
      projectId: text(headers['x-auth-token']),
      source: wanted['imageRef'] ?? wanted['snapshot_id'] ?? null,
    });
    this.#looks.set(id, this.looksUntilMade);
    return { status: 202, body: { volume: this.#view(id, this.volumes.get(id)!) } };
  }

  #delete(id: string): Answer {
    const volume = this.volumes.get(id);
    if (volume === undefined) return fault(404, `Volume ${id} could not be found.`);
    if (!['available', 'error'].includes(volume.status))
      return fault(400, 'Invalid volume: Volume status must be available or error');
    this.volumes.delete(id);
    this.deleted.push(id);
    return { status: 202 };
  }

  #act(id: string, body: Record<string, unknown>): Answer {
    const volume = this.volumes.get(id);
    if (volume === undefined) return fault(404, `Volume ${id} could not be found.`);
    const [from, to] = 'os-begin_detaching' in body ? ['in-use', 'detaching'] : ['detaching', 'in-use'];
    if (volume.status !== from) return fault(400, `Invalid volume: status must be '${from}'`);
    volume.status = to;
    return { status: 202 };
  }

  #list(query: URLSearchParams): Answer {
    const found = [...this.attachments].filter(
      ([, one]) =>
        (query.get('volume_id') ?? one.volumeId) === one.volumeId &&
        (query.get('instance_id') ?? one.instance) === one.instance,
    );
    return { status: 200, body: { attachments: found.map(([id, one]) => this.#attachment(id, one)) } };
  }

  #attachment(id: string, { volumeId, instance, status, connector }: FakeAttachment): object {
    const connection = {
      driver_volume_type: 'iscsi',
      target_iqn: `iqn.2010-10.org.openstack:${volumeId}`,
      target_lun: 1,
      auth_password: 'top-secret',
      attachment_id: id,
    };
    return {
      id,
      volume_id: volumeId,
      instance,
      status,
      connection_info: connector === null ? {} : connection,
    };
  }

  #reserve(wanted: Record<string, unknown>): Answer {
    const volumeId = text(wanted['volume_uuid']);
    const volume = this.volumes.get(volumeId);
    if (volume === undefined) return fault(404, `Volume ${volumeId} could not be found.`);
    if (volume.status !== 'available')
      return fault(400, `Invalid volume: Volume ${volumeId} status must be available or downloading`);
    volume.status = 'reserved';
    const id = randomUUID();
    const attachment: FakeAttachment = {
      volumeId,
      instance: text(wanted['instance_uuid']),
      status: 'reserved',
      connector: null,
    };
    this.attachments.set(id, attachment);
    return { status: 200, body: { attachment: this.#attachment(id, attachment) } };
  }

  #connect(id: string, connector: unknown): Answer {
    const attachment = this.attachments.get(id);
    if (attachment === undefined) return fault(404, 'no attachment');
    this.#status(attachment, 'attaching');
    Object.assign(attachment, { status: 'attaching', connector });
    return { status: 200, body: { attachment: this.#attachment(id, attachment) } };
  }

  #complete(id: string): Answer {
    const attachment = this.attachments.get(id);
    if (attachment === undefined) return fault(404, 'no attachment');
    this.#status(attachment, 'in-use');
    attachment.status = 'attached';
    return { status: 204 };
  }

  #end(id: string): Answer {
    const attachment = this.attachments.get(id);
    if (attachment === undefined) return fault(404, 'no attachment');
    this.#status(attachment, 'available');
    this.attachments.delete(id);
    return { status: 200, body: { attachments: [] } };
  }

  #status({ volumeId }: FakeAttachment, status: string): void {
    const volume = this.volumes.get(volumeId);
    if (volume !== undefined) volume.status = status;
  }
}
