import type { DeviceMetadata, Vif } from '@nova-hyperv/driver';

/** Everything that an instance is told about itself, gathered: from here on nothing is asked for. */
export interface MetadataInput {
  readonly uuid: string;
  /** Running number of the instance; EC2's `i-%08x`. */
  readonly id: number;
  readonly displayName: string;
  readonly hostname: string;
  readonly projectId: string;
  readonly reservationId: string;
  readonly launchIndex: number;
  readonly availabilityZone: string;
  readonly flavorName: string;
  readonly imageRef: string;
  readonly keyName: string | null;
  readonly keyData: string | null;
  /** Base64, as the API takes it. */
  readonly userData: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly networkInfo: readonly Vif[];
  /** Names. */
  readonly securityGroups: readonly string[];
  readonly devices: readonly DeviceMetadata[];
  readonly ephemeralDisks: number;
  /** Device names of its volumes: `/dev/sdb`. */
  readonly volumeDevices: readonly string[];
  /** [api] dhcp_domain; empty: host names stand alone. */
  readonly dhcpDomain: string;
  /** What [api] vendordata_jsonfile_path holds. */
  readonly vendorData: Readonly<Record<string, unknown>>;
  /** 512 bytes that nobody else has. */
  readonly randomSeed: Uint8Array;
  /** Injected files (personality): only a config drive has them, for they are kept nowhere. */
  readonly files?: readonly InjectedFile[];
  /** Only a config drive tells it, and only where [hyperv] config_drive_inject_password says so. */
  readonly adminPassword?: string;
  /** What the guest has posted, encrypted with its user's key. */
  readonly postedPassword?: string;
}

export interface InjectedFile {
  /** Where the guest is to have it: `/etc/motd`. */
  readonly path: string;
  readonly content: Uint8Array;
}

/** Nova's name of an instance's host: `vm1.novalocal`. */
export function fullHostname({
  hostname,
  dhcpDomain,
}: Pick<MetadataInput, 'hostname' | 'dhcpDomain'>): string {
  return dhcpDomain === '' ? hostname : `${hostname}.${dhcpDomain}`;
}

/** Undefined when there is none. */
export function userDataBytes({ userData }: Pick<MetadataInput, 'userData'>): Buffer | undefined {
  return userData === null ? undefined : Buffer.from(userData, 'base64');
}
