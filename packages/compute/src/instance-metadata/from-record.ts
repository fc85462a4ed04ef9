import { randomBytes } from 'node:crypto';
import type { InstanceRecord } from '../ports.js';
import type { MetadataInput } from './input.js';

/** Nova's. */
const RANDOM_SEED_BYTES = 512;
/** What a guest posts is kept in its system metadata in pieces. Source: nova/api/metadata/password.py. */
const PASSWORD_PREFIX = 'password_';
const PASSWORD_PIECES = 4;
const PASSWORD_PIECE_LENGTH = 255;
export const MAX_PASSWORD_LENGTH = PASSWORD_PIECES * PASSWORD_PIECE_LENGTH;

/** What the record of an instance does not tell of it. */
export type MetadataExtras = Pick<
  MetadataInput,
  'securityGroups' | 'volumeDevices' | 'dhcpDomain' | 'vendorData'
> &
  Partial<Pick<MetadataInput, 'files' | 'adminPassword'>> & {
    /** For instances that no host gave its own. */
    readonly defaultAvailabilityZone: string;
  };

/** With a new random seed at each call. */
export function metadataInput(record: InstanceRecord, extras: MetadataExtras): MetadataInput {
  const { defaultAvailabilityZone, ...rest } = extras;
  const { ephemeralsGb, flavor } = record;
  return {
    uuid: record.uuid,
    id: record.id,
    displayName: record.displayName,
    hostname: record.hostname,
    projectId: record.projectId,
    reservationId: record.reservationId,
    launchIndex: record.launchIndex,
    availabilityZone: record.availabilityZone ?? defaultAvailabilityZone,
    flavorName: flavor.name,
    imageRef: record.imageRef,
    keyName: record.keyName,
    keyData: record.keyData,
    userData: record.userData,
    metadata: record.metadata,
    networkInfo: record.networkInfo,
    devices: record.deviceMetadata,
    ephemeralDisks: ephemeralsGb.length > 0 ? ephemeralsGb.length : Number(flavor.ephemeralGb > 0),
    randomSeed: randomBytes(RANDOM_SEED_BYTES),
    postedPassword: postedPassword(record),
    ...rest,
  };
}

function postedPassword({ systemMetadata }: InstanceRecord): string {
  return Object.keys(systemMetadata)
    .filter((key) => key.startsWith(PASSWORD_PREFIX))
    .toSorted()
    .map((key) => systemMetadata[key] ?? '')
    .join('');
}

/** System metadata with what a guest has posted. */
export function withPostedPassword(
  metadata: Readonly<Record<string, string>>,
  password: string,
): Readonly<Record<string, string>> {
  const pieces = Array.from({ length: PASSWORD_PIECES }, (_, index) => [
    `${PASSWORD_PREFIX}${index}`,
    password.slice(index * PASSWORD_PIECE_LENGTH, (index + 1) * PASSWORD_PIECE_LENGTH),
  ]);
  return { ...metadata, ...Object.fromEntries(pieces) };
}
