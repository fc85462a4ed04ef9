/** Quotas by Nova's names; -1 is unlimited. Defaults of nova/conf/quota.py (`[quota]`). */
export const DEFAULT_QUOTAS = {
  instances: 10,
  cores: 20,
  ram: 51_200,
  metadata_items: 128,
  key_pairs: 100,
  server_groups: 10,
  server_group_members: 10,
  injected_files: 5,
  injected_file_content_bytes: 10_240,
  injected_file_path_bytes: 255,
  fixed_ips: -1,
  floating_ips: -1,
  security_groups: -1,
  security_group_rules: -1,
} as const;

export type QuotaName = keyof typeof DEFAULT_QUOTAS;
export const isQuotaName = (name: string): name is QuotaName => Object.hasOwn(DEFAULT_QUOTAS, name);
export const QUOTA_NAMES: readonly QuotaName[] = Object.keys(DEFAULT_QUOTAS).filter(isQuotaName);

/** Settings of the compute API and scheduler, with nova.conf's names where it has them. */
export interface NovaConfig {
  /** `[quota]`; one machine has one operator, so instances, cores and ram are unlimited unless told otherwise. */
  readonly quotas: Readonly<Record<QuotaName, number>>;
  /** `service_down_time`, seconds. */
  readonly serviceDownTimeS: number;
  /** `[scheduler] max_attempts` */
  readonly maxAttempts: number;
  /** `default_availability_zone` */
  readonly defaultAvailabilityZone: string;
  /** `internal_service_availability_zone` */
  readonly internalAvailabilityZone: string;
  /** `[api] max_limit`: largest page. */
  readonly maxLimit: number;
  /**
   * `allow_resize_to_same_host`. Nova's default is false, for clouds of many hosts; here it is true: a cloud of one machine has no other, and moving to
   * another host is not served.
   */
  readonly allowResizeToSameHost: boolean;
  /** Builds that are scheduled at the same time. */
  readonly schedulerWorkers: number;
  /** `report_interval` of the services of this process, seconds. */
  readonly reportIntervalS: number;
  /** `[pci] alias`: JSON texts. */
  readonly pciAlias: readonly string[];
}

export const DEFAULT_CONFIG: NovaConfig = {
  quotas: { ...DEFAULT_QUOTAS, instances: -1, cores: -1, ram: -1 },
  serviceDownTimeS: 60,
  maxAttempts: 3,
  defaultAvailabilityZone: 'nova',
  internalAvailabilityZone: 'internal',
  maxLimit: 1000,
  allowResizeToSameHost: true,
  schedulerWorkers: 4,
  reportIntervalS: 10,
  pciAlias: [],
};
