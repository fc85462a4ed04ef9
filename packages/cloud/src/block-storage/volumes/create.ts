import { randomUUID } from 'node:crypto';
import { ApiError, badRequest, conflict, notFound } from '../../kernel/errors.js';
import { isUuid } from '../../kernel/ids.js';
import { parse } from '../../kernel/validate.js';
import type { Call } from '../api/call.js';
import { nowIso, ZONE, type BlockStorageDb, type Cinder } from '../deps.js';
import { invalidInput, invalidSnapshot, invalidVolume } from '../errors.js';
import { readTexts } from '../json.js';
import { writeWork } from '../manager/work.js';
import { checkQuota } from '../quotas/store.js';
import type { Image } from '../rest/glance.js';
import { findSnapshot } from '../snapshots/store.js';
import type { SnapshotRow, TypeRow, VolumeRow } from '../tables.js';
import { defaultType, findTypeByNameOrId, isEncrypted, typeOf } from '../types/store.js';
import { CREATE, parseSize, type CreateFields } from './create-schema.js';
import { findVolume } from './store.js';
import { viewsOf, volumeDetail } from './views.js';

const GIB = 2 ** 30;

/** What a volume is made from: at most one of them. */
interface Source {
  readonly snapshot: SnapshotRow | null;
  readonly volume: VolumeRow | null;
  readonly image: Image | null;
}

/** By id, or by name when one has it. cinder/api/v3/volumes.py, _image_uuid_from_ref. @throws ApiError 400, 409 */
async function findImage(cinder: Cinder, call: Call, ref: string): Promise<Image> {
  const id = ref.split('/').at(-1) ?? '';
  const byId = isUuid(id) ? await cinder.images.get(id, call.token) : null;
  if (byId !== null) return byId;
  const [first, second] = await cinder.images.named(ref, call.token);
  if (second !== undefined)
    throw conflict(`Multiple matches found for '${ref}', use an ID to be more specific.`);
  const byName = first === undefined ? null : await cinder.images.get(first, call.token);
  if (byName === null) throw badRequest('Invalid image identifier or unable to access requested image.');
  return byName;
}

/** Snapshot that an image of a server booted from a volume stands for (Nova's createImage), if it is one. */
function snapshotOfImage(image: Image): string | undefined {
  const text = image.properties['block_device_mapping'];
  if (text === undefined) return undefined;
  try {
    const mappings: unknown = JSON.parse(text);
    const boot: unknown = Array.isArray(mappings)
      ? mappings.find((each) => Object(each).boot_index === 0 && Object(each).source_type === 'snapshot')
      : undefined;
    const id: unknown = Object(boot).snapshot_id;
    return typeof id === 'string' ? id : undefined;
  } catch {
    return undefined;
  }
}

async function findSource(cinder: Cinder, call: Call, wanted: CreateFields): Promise<Source> {
  const none: Source = { snapshot: null, volume: null, image: null };
  const imageRef = wanted.imageRef ?? wanted.image_id ?? null;
  const given = [imageRef, wanted.snapshot_id, wanted.source_volid].filter(
    (each) => each !== undefined && each !== null && each !== '',
  );
  if (given.length > 1)
    throw invalidInput(
      'A volume is made from one of imageRef, snapshot_id and source_volid: give one of them.',
    );
  if (wanted.snapshot_id)
    return { ...none, snapshot: await findSnapshot(cinder.db, call.context, wanted.snapshot_id) };
  if (wanted.source_volid)
    return { ...none, volume: await findVolume(cinder.db, call.context, wanted.source_volid) };
  if (!imageRef) return none;
  const image = await findImage(cinder, call, imageRef);
  const snapshotId = snapshotOfImage(image);
  if (call.version >= 46 && snapshotId !== undefined)
    return { ...none, snapshot: await findSnapshot(cinder.db, call.context, snapshotId) };
  return { ...none, image };
}

function refuseBusySource({ snapshot, volume }: Source): void {
  if (snapshot !== null && snapshot.status !== 'available')
    throw invalidSnapshot("Originating snapshot status must be one of 'available' values");
  if (volume !== null && volume.status !== 'available' && volume.status !== 'in-use')
    throw invalidVolume("Originating source volume status must be one of 'available, in-use' values");
}

/** cinder/volume/flows/api/create_volume.py, _check_image_metadata. */
function refuseImage(image: Image, sizeGb: number): void {
  if (image.status !== 'active') throw invalidInput(`Image ${image.id} is not active.`);
  const imageGb = Math.ceil(image.size / GIB);
  if (imageGb > sizeGb)
    throw invalidInput(`Size of specified image ${imageGb}GB is larger than volume size ${sizeGb}GB.`);
  if (image.minDisk > sizeGb)
    throw invalidInput(
      `Volume size ${sizeGb}GB cannot be smaller than the image minDisk size ${image.minDisk}GB.`,
    );
}

function sizeOf(wanted: CreateFields, { snapshot, volume, image }: Source): number {
  const asked = parseSize(wanted.size);
  if (asked === undefined) {
    throw invalidInput(
      `Invalid volume size provided for create request: ${String(wanted.size)} (size argument must be an integer ` +
        '(or string representation of an integer) and greater than zero).',
    );
  }
  const sizeGb = asked ?? snapshot?.volume_size ?? volume?.size ?? null;
  if (sizeGb === null) throw invalidInput("Volume size 'None' must be an integer and greater than 0");
  if (volume !== null && sizeGb < volume.size) {
    throw invalidInput(
      `Volume size '${sizeGb}'GB cannot be smaller than original volume size  ${volume.size}GB. ` +
        'They must be >= original volume size.',
    );
  }
  if (snapshot !== null && sizeGb < snapshot.volume_size) {
    throw invalidInput(
      `Volume size '${sizeGb}'GB cannot be smaller than the snapshot size ${snapshot.volume_size}GB. ` +
        'They must be >= original snapshot size.',
    );
  }
  if (image !== null) refuseImage(image, sizeGb);
  return sizeGb;
}

/** Whether one type's volumes are where the other's are (cinder/volume/api.py, _retype_is_possible). */
const sameBackend = (a: TypeRow, b: TypeRow): boolean =>
  readTexts(a.extra_specs)['volume_backend_name'] === readTexts(b.extra_specs)['volume_backend_name'];

async function typeFor(cinder: Cinder, call: Call, wanted: CreateFields, source: Source): Promise<TypeRow> {
  const { db } = cinder;
  const sourceTypeId = source.snapshot?.volume_type_id ?? source.volume?.volume_type_id;
  const sourceType = sourceTypeId === undefined ? null : await typeOf(db, sourceTypeId);
  const named = wanted.volume_type ? await findTypeByNameOrId(db, call.context, wanted.volume_type) : null;
  if (
    named !== null &&
    sourceType !== null &&
    named.id !== sourceType.id &&
    !sameBackend(named, sourceType)
  ) {
    const advice =
      source.volume === null
        ? 'recommend omitting the type argument'
        : 'either match source volume, or omit type argument';
    throw invalidInput(
      `Invalid volume_type provided: ${named.id} (requested type is not compatible; ${advice}).`,
    );
  }
  // An image may say what its volumes are to be: cinder_img_volume_type (Cinder's default_volume_type of an image).
  const ofImage = source.image?.properties['cinder_img_volume_type'];
  const type =
    named ??
    sourceType ??
    (ofImage === undefined
      ? await defaultType(db, call.context.projectId)
      : await findTypeByNameOrId(db, call.context, ofImage));
  if (await isEncrypted(db, type)) {
    throw badRequest(
      `Invalid volume type: ${type.name} asks for encrypted volumes, which this cloud does not make: ` +
        'nothing in it encrypts, and the Hyper-V driver cannot attach them. Use a type without encryption.',
    );
  }
  return type;
}

function refuseAbsent(call: Call, wanted: CreateFields): void {
  if (wanted.backup_id && call.version >= 47)
    throw notFound(`Backup ${wanted.backup_id} could not be found.`);
  const group = wanted.group_id ?? wanted.consistencygroup_id;
  if (group) throw notFound(`Group ${group} could not be found.`);
  if (wanted.availability_zone && wanted.availability_zone !== ZONE)
    throw badRequest(`Availability zone '${wanted.availability_zone}' is invalid.`);
  if (wanted.multiattach === true)
    throw badRequest(
      'multiattach parameter has been removed. The default behavior is to use multiattach enabled volume types. ' +
        'Contact your administrator to create a multiattach enabled volume type and use it to create multiattach volumes.',
    );
}

/** `volume_image_metadata`: of the image, as Cinder copies it (volume_utils.copy_image_metadata…). */
const imageMetadata = (image: Image): Readonly<Record<string, string>> => ({
  ...image.properties,
  image_id: image.id,
  ...(image.name === null ? {} : { image_name: image.name }),
  ...(image.checksum === null ? {} : { checksum: image.checksum }),
  container_format: image.containerFormat,
  disk_format: image.diskFormat,
  min_disk: String(image.minDisk),
  min_ram: String(image.minRam),
  size: String(image.size),
});

/** Whether it boots, and the properties for that, come from what the volume is made from. */
async function bootFields(
  db: BlockStorageDb,
  source: Source,
): Promise<Pick<VolumeRow, 'bootable' | 'image_metadata'>> {
  if (source.image !== null)
    return { bootable: 1, image_metadata: JSON.stringify(imageMetadata(source.image)) };
  const origin =
    source.volume ??
    (await db
      .selectFrom('block_storage_volume')
      .selectAll()
      .where('id', '=', source.snapshot?.volume_id ?? '')
      .executeTakeFirst());
  return { bootable: origin?.bootable ?? 0, image_metadata: origin?.image_metadata ?? null };
}

/** `POST /volumes`: checks everything that can be known before, then leaves the work to the volume manager. @throws ApiError */
export async function createVolume(cinder: Cinder, call: Call): Promise<object> {
  const { volume: wanted } = parse(CREATE, call.body);
  refuseAbsent(call, wanted);
  const source = await findSource(cinder, call, wanted);
  refuseBusySource(source);
  const sizeGb = sizeOf(wanted, source);
  const type = await typeFor(cinder, call, wanted, source);
  const { projectId, userId } = call.context;
  const row: VolumeRow = {
    id: randomUUID(),
    project_id: projectId,
    user_id: userId,
    name: wanted.name ?? wanted.display_name ?? null,
    description: wanted.description ?? wanted.display_description ?? null,
    size: sizeGb,
    status: 'creating',
    attach_status: 'detached',
    availability_zone: ZONE,
    host: null,
    volume_type_id: type.id,
    snapshot_id: source.snapshot?.id ?? null,
    source_volid: source.volume?.id ?? null,
    image_id: source.image?.id ?? null,
    ...(await bootFields(cinder.db, source)),
    readonly: null,
    attached_mode: null,
    metadata: JSON.stringify(wanted.metadata ?? {}),
    work: writeWork({ kind: 'create' }),
    legacy_connector: null,
    created_at: nowIso(),
    updated_at: null,
  };
  await cinder.db.transaction().execute(async (trx) => {
    const demand = { projectId, typeName: type.name, sizeGb, volumeSizeGb: sizeGb };
    await checkQuota(trx, { ...demand, one: 'volumes' });
    await trx.insertInto('block_storage_volume').values(row).execute();
  });
  cinder.manager.workOn(row.id);
  const [view] = await viewsOf(cinder, [row]);
  if (view === undefined) throw new ApiError(500, 'The volume is gone.');
  return { volume: volumeDetail(call, view) };
}
