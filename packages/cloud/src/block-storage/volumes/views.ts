import { cinderTime, links, type Call } from '../api/call.js';
import { ZONE, type Cinder } from '../deps.js';
import { readTexts } from '../json.js';
import type { AttachmentRow, TypeRow, VolumeRow } from '../tables.js';
import { isMultiattach } from '../types/store.js';

/** What a view of volumes needs beside their rows. */
export interface VolumeView {
  readonly volume: VolumeRow;
  readonly type: TypeRow;
  readonly attachments: readonly AttachmentRow[];
}

export async function viewsOf(
  cinder: Pick<Cinder, 'db'>,
  volumes: readonly VolumeRow[],
): Promise<readonly VolumeView[]> {
  const types = await cinder.db.selectFrom('block_storage_type').selectAll().execute();
  const attachments = await cinder.db.selectFrom('block_storage_attachment').selectAll().execute();
  const byId = new Map(types.map((type) => [type.id, type]));
  const byVolume = new Map<string, AttachmentRow[]>();
  for (const row of attachments) byVolume.set(row.volume_id, [...(byVolume.get(row.volume_id) ?? []), row]);
  return volumes.flatMap((volume) => {
    const type = byId.get(volume.volume_type_id);
    return type === undefined ? [] : [{ volume, type, attachments: byVolume.get(volume.id) ?? [] }];
  });
}

export const volumeSummary = (call: Call, { volume }: VolumeView): object => ({
  id: volume.id,
  name: volume.name,
  links: links(call, 'volumes', volume.id),
});

function attachmentBody(call: Call, row: AttachmentRow): object {
  const isTrusted = call.context.isAdmin || call.context.roles.includes('service');
  return {
    id: row.volume_id,
    attachment_id: row.id,
    volume_id: row.volume_id,
    server_id: row.instance_uuid,
    host_name: isTrusted ? row.attached_host : null,
    device: row.mountpoint,
    attached_at: cinderTime(row.attached_at),
  };
}

/** Members that microversions have added; cinder/api/v3/views/volumes.py, detail. */
function newer(call: Call, { volume, type }: VolumeView): object {
  const { version, context } = call;
  return {
    ...(version >= 13 ? { group_id: null } : {}),
    ...(version >= 21 && context.isAdmin ? { provider_id: null } : {}),
    ...(version >= 48 ? { shared_targets: false, service_uuid: null } : {}),
    ...(version >= 61 && context.isAdmin ? { cluster_name: null } : {}),
    ...(version >= 63 ? { volume_type_id: type.id } : {}),
    ...(version >= 65 ? { consumes_quota: true } : {}),
    ...(context.isAdmin
      ? {
          migration_status: null,
          'os-vol-host-attr:host': volume.host,
          'os-vol-mig-status-attr:migstat': null,
          'os-vol-mig-status-attr:name_id': null,
        }
      : {}),
  };
}

/** Administrative metadata that users see: cinder/api/api_utils.py, add_visible_admin_metadata. */
const visibleAdminMetadata = (volume: VolumeRow): Readonly<Record<string, string>> => ({
  ...(volume.readonly === null ? {} : { readonly: volume.readonly === 1 ? 'True' : 'False' }),
  ...(volume.attached_mode === null ? {} : { attached_mode: volume.attached_mode }),
});

export function volumeDetail(call: Call, view: VolumeView): object {
  const { volume, type, attachments } = view;
  return {
    id: volume.id,
    status: volume.status,
    size: volume.size,
    availability_zone: volume.availability_zone === '' ? ZONE : volume.availability_zone,
    created_at: cinderTime(volume.created_at),
    updated_at: cinderTime(volume.updated_at),
    name: volume.name,
    description: volume.description,
    volume_type: type.name,
    snapshot_id: volume.snapshot_id,
    source_volid: volume.source_volid,
    metadata: { ...readTexts(volume.metadata), ...visibleAdminMetadata(volume) },
    links: links(call, 'volumes', volume.id),
    user_id: volume.user_id,
    bootable: volume.bootable === 1 ? 'true' : 'false',
    encrypted: false,
    replication_status: null,
    consistencygroup_id: null,
    multiattach: isMultiattach(type),
    attachments: attachments
      .filter((row) => row.attach_status === 'attached')
      .map((row) => attachmentBody(call, row)),
    'os-vol-tenant-attr:tenant_id': volume.project_id,
    ...(volume.image_metadata === null ? {} : { volume_image_metadata: readTexts(volume.image_metadata) }),
    ...newer(call, view),
  };
}
