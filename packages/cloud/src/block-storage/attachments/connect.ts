import { ApiError } from '../../kernel/errors.js';
import { BackendError, type ConnectionInfo, type Connector } from '../backends/backend.js';
import type { Cinder } from '../deps.js';
import { readMembers, readTexts } from '../json.js';
import type { AttachmentRow, VolumeRow } from '../tables.js';
import { qosOf, typeOf } from '../types/store.js';

type Specs = Readonly<Record<string, string>>;

const LIMITS = [
  'read_iops_sec',
  'read_bytes_sec',
  'write_iops_sec',
  'write_bytes_sec',
  'total_iops_sec',
  'total_bytes_sec',
];

/** Limits by size (`total_iops_sec_per_gb` and its `_min`, and `_max`) become plain ones: cinder/volume/manager.py, _parse_connection_options. */
export function perSize(specs: Specs, sizeGb: number): Specs {
  const result: Record<string, string> = { ...specs };
  for (const limit of LIMITS) {
    const perGb = result[`${limit}_per_gb`];
    if (perGb === undefined) continue;
    const least = Number(result[`${limit}_per_gb_min`] ?? 0);
    const value = Math.max(least, Number(perGb) * sizeGb);
    const most = Number(result[`${limit}_max`] ?? value);
    for (const suffix of ['_per_gb', '_per_gb_min', '_max']) delete result[limit + suffix];
    result[limit] = String(Math.min(value, most));
  }
  return result;
}

/** Specs that the consumer of the volume is to keep to; null when there are none. */
async function frontEndSpecs(cinder: Cinder, volume: VolumeRow): Promise<Specs | null> {
  const qos = await qosOf(cinder.db, await typeOf(cinder.db, volume.volume_type_id));
  if (qos === undefined || qos.consumer === 'back-end') return null;
  return perSize(readTexts(qos.specs), volume.size);
}

/** Exports the volume to the connector's host, and says of it what Cinder adds to what its drivers say. @throws ApiError 500, 503 */
export async function connect(
  cinder: Cinder,
  volume: VolumeRow,
  connector: Connector,
  mode: 'rw' | 'ro',
): Promise<ConnectionInfo> {
  const backend = cinder.backends.of(volume);
  let info: ConnectionInfo;
  try {
    info = await backend.initializeConnection({ id: volume.id, sizeGb: volume.size }, connector, mode);
  } catch (error) {
    const reason = error instanceof BackendError ? error.message : 'see the log';
    throw new ApiError(
      500,
      'Bad or unexpected response from the storage volume backend API: ' +
        `Driver initialize connection failed (error: ${reason}).`,
      { cause: error },
    );
  }
  const type = await typeOf(cinder.db, volume.volume_type_id);
  return {
    driver_volume_type: info.driver_volume_type,
    data: {
      ...info.data,
      volume_id: volume.id,
      qos_specs: await frontEndSpecs(cinder, volume),
      access_mode: volume.attached_mode ?? (mode === 'ro' || volume.readonly === 1 ? 'ro' : 'rw'),
      encrypted: false,
      cacheable: readTexts(type.extra_specs)['cacheable'] === '<is> True',
    },
  };
}

const hostOf = (connector: Connector): unknown => connector['host'];

/** Ends the export to an attachment's host, unless another attachment of the volume is to the same host. */
export async function disconnect(
  cinder: Cinder,
  volume: VolumeRow,
  attachment: AttachmentRow,
  others: readonly AttachmentRow[],
): Promise<void> {
  if (attachment.connector === null) return;
  const connector = readMembers(attachment.connector);
  const shared = others.some(
    (other) =>
      other.id !== attachment.id &&
      other.connector !== null &&
      hostOf(readMembers(other.connector)) === hostOf(connector),
  );
  if (shared) return;
  await terminate(cinder, volume, connector);
}

/** Ends the export to a host. @throws ApiError 500, 503 */
export async function terminate(cinder: Cinder, volume: VolumeRow, connector: Connector): Promise<void> {
  const backend = cinder.backends.of(volume);
  try {
    await backend.terminateConnection({ id: volume.id, sizeGb: volume.size }, connector);
  } catch (error) {
    const reason = error instanceof BackendError ? ` ${error.message}` : '';
    throw new ApiError(500, `Unable to terminate volume connection from backend.${reason}`, { cause: error });
  }
}
