import type { DeviceMetadata, Flavor, PowerState, Vif, VifSubnet } from '@nova-hyperv/driver';
import { POWER_STATE } from '@nova-hyperv/driver';
import type { ClaimedPciDevice, MigrationStatus, TaskState, VmState } from '@nova-hyperv/compute';
import { z } from 'zod';

/** A row that this version cannot read: the database was damaged or edited by hand. */
export class StoredDataError extends Error {
  readonly code = 'STORED_DATA_INVALID';
  constructor(what: string, cause: unknown) {
    super(`The stored ${what} is not readable: restore the database from a backup or remove that row.`, {
      cause,
    });
    this.name = 'StoredDataError';
  }
}

const strings = z.record(z.string(), z.string());

export const FLAVOR: z.ZodType<Flavor> = z.object({
  flavorId: z.string(),
  name: z.string(),
  vcpus: z.number(),
  memoryMb: z.number(),
  rootGb: z.number(),
  ephemeralGb: z.number(),
  swapMb: z.number(),
  extraSpecs: strings,
});

const VIF_SUBNET: z.ZodType<VifSubnet> = z.object({
  id: z.string(),
  version: z.union([z.literal(4), z.literal(6)]),
  cidr: z.string(),
  gateway: z.string().nullable(),
  dns: z.array(z.string()),
  routes: z.array(z.object({ cidr: z.string(), gateway: z.string() })),
  enableDhcp: z.boolean(),
  dhcpServer: z.string().nullable(),
  ipv6AddressMode: z.string().nullable(),
});

const VIFS: z.ZodType<readonly Vif[]> = z.array(
  z.object({
    portId: z.string(),
    mac: z.string(),
    networkId: z.string(),
    networkLabel: z.string(),
    vifType: z.string(),
    mtu: z.number(),
    active: z.boolean(),
    portSecurityEnabled: z.boolean().exactOptional(),
    securityGroups: z.array(z.string()).exactOptional(),
    tag: z.string().exactOptional(),
    fixedIps: z.array(z.object({ address: z.string(), subnetId: z.string() })),
    subnets: z.array(VIF_SUBNET).exactOptional(),
  }),
);

const PCI_DEVICES: z.ZodType<readonly ClaimedPciDevice[]> = z.array(
  z.object({
    address: z.string(),
    vendorId: z.string(),
    productId: z.string(),
    aliasName: z.string(),
    only: z.enum(['old', 'new']).optional(),
  }),
);

const DEVICE_METADATA: z.ZodType<readonly DeviceMetadata[]> = z.array(
  z.discriminatedUnion('type', [
    z.object({
      type: z.literal('disk'),
      bus: z.enum(['scsi', 'ide']),
      address: z.string(),
      serial: z.string(),
      tags: z.array(z.string()),
    }),
    z.object({
      type: z.literal('nic'),
      bus: z.literal('none'),
      address: z.null(),
      mac: z.string(),
      tags: z.array(z.string()),
      vlan: z.number().exactOptional(),
    }),
  ]),
);

/** Reads a JSON column by its schema. @throws StoredDataError */
export function readJson<T>(schema: z.ZodType<T>, text: string, what: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new StoredDataError(what, error);
  }
}

export const readStrings = (text: string, what: string): Readonly<Record<string, string>> =>
  readJson(strings, text, what);
export const readTags = (text: string): readonly string[] =>
  readJson(z.array(z.string()), text, 'list of tags');
export const readFlavor = (text: string): Flavor => readJson(FLAVOR, text, 'flavor of an instance');
export const readFlavorOrNull = (text: string | null): Flavor | null =>
  text === null ? null : readFlavor(text);
export const readSizes = (text: string): readonly number[] =>
  readJson(z.array(z.number()), text, 'ephemeral disks of an instance');
export const readVifs = (text: string): readonly Vif[] =>
  readJson(VIFS, text, 'network information of an instance');

export const readDeviceMetadata = (text: string): readonly DeviceMetadata[] =>
  readJson(DEVICE_METADATA, text, 'device metadata of an instance');

export const readPciDevices = (text: string): readonly ClaimedPciDevice[] =>
  readJson(PCI_DEVICES, text, 'PCI devices of an instance');

const VM_STATES: readonly VmState[] = [
  'active',
  'building',
  'paused',
  'suspended',
  'stopped',
  'rescued',
  'resized',
  'soft-delete',
  'deleted',
  'error',
  'shelved',
  'shelved_offloaded',
];
const TASK_STATES: readonly TaskState[] = [
  null,
  'scheduling',
  'block_device_mapping',
  'networking',
  'spawning',
  'powering-off',
  'powering-on',
  'deleting',
  'rebooting',
  'reboot_pending',
  'reboot_started',
  'rebooting_hard',
  'reboot_pending_hard',
  'reboot_started_hard',
  'resize_prep',
  'resize_migrating',
  'resize_migrated',
  'resize_finish',
  'resize_reverting',
  'image_snapshot_pending',
  'image_snapshot',
  'image_pending_upload',
  'image_uploading',
];

const MIGRATION_STATUSES: readonly MigrationStatus[] = [
  'pre-migrating',
  'migrating',
  'post-migrating',
  'finished',
  'confirming',
  'confirmed',
  'reverting',
  'reverted',
  'error',
];

const POWER_STATES: readonly PowerState[] = Object.values(POWER_STATE);

export function oneOf<T>(known: readonly T[], value: unknown, what: string): T {
  const found = known.find((candidate) => candidate === value);
  if (found === undefined) throw new StoredDataError(what, new Error(`unknown value ${String(value)}`));
  return found;
}

export const readVmState = (value: string): VmState => oneOf(VM_STATES, value, 'state of an instance');
export const readTaskState = (value: string | null): TaskState =>
  oneOf(TASK_STATES, value, 'task state of an instance');
export const readMigrationStatus = (value: string): MigrationStatus =>
  oneOf(MIGRATION_STATUSES, value, 'status of a migration');
export const readPowerState = (value: number): PowerState =>
  oneOf(POWER_STATES, value, 'power state of an instance');

export const flag = (value: boolean): number => (value ? 1 : 0);
export const time = (value: Date | null): string | null => value?.toISOString() ?? null;
export const readTime = (value: string | null): Date | null => (value === null ? null : new Date(value));
