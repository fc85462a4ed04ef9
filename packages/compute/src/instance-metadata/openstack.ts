import type { DeviceMetadata } from '@nova-hyperv/driver';
import { fullHostname } from './input.js';
import type { MetadataInput } from './input.js';
import { hasOpenstack } from './versions.js';
import type { OpenStackVersion } from './versions.js';

type Json = Readonly<Record<string, unknown>>;

const CONTENT_DIRECTORY = '/content';

export const META_DATA = 'meta_data.json';
export const USER_DATA = 'user_data';
export const PASSWORD = 'password';
export const VENDOR_DATA = 'vendor_data.json';
export const VENDOR_DATA_2 = 'vendor_data2.json';
export const NETWORK_DATA = 'network_data.json';

/** Since when each name is there, in the order in which a version lists them. Source: nova/api/metadata/base.py, _handle_version. */
export const NAMES: readonly { readonly name: string; readonly since: OpenStackVersion }[] = [
  { name: META_DATA, since: '2012-08-10' },
  { name: USER_DATA, since: '2012-08-10' },
  { name: PASSWORD, since: '2013-04-04' },
  { name: VENDOR_DATA, since: '2013-10-17' },
  { name: NETWORK_DATA, since: '2015-10-15' },
  { name: VENDOR_DATA_2, since: '2016-10-06' },
];

/** What meta_data.json holds. Source: nova/api/metadata/base.py, _metadata_as_json. */
export function metaData(input: MetadataInput, version: OpenStackVersion): Json {
  const since = (first: OpenStackVersion, fields: () => Json): Json =>
    hasOpenstack(version, first) ? fields() : {};
  return {
    uuid: input.uuid,
    ...(Object.keys(input.metadata).length === 0 ? {} : { meta: input.metadata }),
    ...injectedFiles(input),
    ...(input.adminPassword === undefined ? {} : { admin_pass: input.adminPassword }),
    ...keys(input),
    hostname: fullHostname(input),
    name: input.displayName,
    launch_index: input.launchIndex,
    availability_zone: input.availabilityZone,
    ...since('2013-04-04', () => ({ random_seed: Buffer.from(input.randomSeed).toString('base64') })),
    ...since('2015-10-15', () => ({ project_id: input.projectId })),
    ...since('2016-06-30', () => ({ devices: input.devices.map((device) => deviceOf(device, version)) })),
    // Hyper-V gives no processor to one machine alone.
    ...since('2020-10-14', () => ({ dedicated_cpus: [] })),
  };
}

export const contentName = (index: number): string => String(index).padStart(4, '0');

function injectedFiles({ files = [] }: MetadataInput): Json {
  if (files.length === 0) return {};
  return {
    files: files.map(({ path }, index) => ({
      path,
      content_path: `${CONTENT_DIRECTORY}/${contentName(index)}`,
    })),
  };
}

function keys({ keyName, keyData }: MetadataInput): Json {
  if (keyName === null || keyData === null) return {};
  const type = keyData.includes('BEGIN CERTIFICATE') ? 'x509' : 'ssh';
  return { public_keys: { [keyName]: keyData }, keys: [{ name: keyName, type, data: keyData }] };
}

/** Nova's words for a device: what has no address says `none`. VLANs came with 2017-02-22, trust of NICs with 2018-08-27. */
function deviceOf(device: DeviceMetadata, version: OpenStackVersion): Json {
  const place = { bus: device.bus, address: device.address ?? 'none', tags: device.tags };
  if (device.type === 'disk') return { type: 'disk', serial: device.serial, ...place };
  return {
    type: 'nic',
    mac: device.mac,
    ...(device.vlan !== undefined && hasOpenstack(version, '2017-02-22') ? { vlan: device.vlan } : {}),
    ...(hasOpenstack(version, '2018-08-27') ? { vf_trusted: false } : {}),
    ...place,
  };
}
