import { ComputeError } from './errors.js';

/** The options of nova.conf that the compute manager reads, by their names in camel case with the unit added. */
export interface ComputeConfig {
  /** [DEFAULT] my_ip, shown as the hypervisor's address. */
  readonly myIp: string;
  /** [DEFAULT] max_concurrent_builds; 0 = no bound. */
  readonly maxConcurrentBuilds: number;
  /** [DEFAULT] shutdown_timeout: how long a guest may take to shut down when the image says nothing. */
  readonly shutdownTimeoutSeconds: number;
  /** Nova's SHUTDOWN_RETRY_INTERVAL: how often the guest is asked again. */
  readonly shutdownRetryIntervalSeconds: number;
  /** [DEFAULT] block_device_allocate_retries: how often a volume that is being made is looked at. */
  readonly blockDeviceAllocateRetries: number;
  /** [DEFAULT] block_device_allocate_retries_interval */
  readonly blockDeviceAllocateRetriesIntervalSeconds: number;
  /** [DEFAULT] vif_plugging_timeout; 0 = do not wait. */
  readonly vifPluggingTimeoutSeconds: number;
  /** [DEFAULT] vif_plugging_is_fatal */
  readonly vifPluggingIsFatal: boolean;
  /** [DEFAULT] resume_guests_state_on_host_boot. Nova's default is false; the one-machine cloud's is true. */
  readonly resumeGuestsStateOnHostBoot: boolean;
  /** [DEFAULT] default_availability_zone */
  readonly defaultAvailabilityZone: string;
  /** [workarounds] handle_virt_lifecycle_events */
  readonly handleVirtLifecycleEvents: boolean;
  /** [DEFAULT] force_config_drive: every instance that is made has one. */
  readonly forceConfigDrive: boolean;
  /** [hyperv] config_drive_inject_password: the config drive tells the administrator's password. */
  readonly configDriveInjectPassword: boolean;
  /** [api] dhcp_domain: what follows an instance's host name. */
  readonly dhcpDomain: string;
  /** [api] vendordata_jsonfile_path; empty = none. */
  readonly vendordataJsonfilePath: string;
  readonly reservedHostCpus: number;
  readonly reservedHostMemoryMb: number;
  readonly reservedHostDiskMb: number;
  /** null = not set: what Placement has is kept, a new inventory gets the initial ratio. */
  readonly cpuAllocationRatio: number | null;
  readonly ramAllocationRatio: number | null;
  readonly diskAllocationRatio: number | null;
  readonly initialCpuAllocationRatio: number;
  readonly initialRamAllocationRatio: number;
  readonly initialDiskAllocationRatio: number;
  /** [DEFAULT] report_interval */
  readonly reportIntervalSeconds: number;
  /** [DEFAULT] update_resources_interval */
  readonly updateResourcesIntervalSeconds: number;
  /** [DEFAULT] sync_power_state_interval; 0 or less = never. */
  readonly syncPowerStateIntervalSeconds: number;
  /** [image_cache] manager_interval; 0 or less = never. */
  readonly imageCacheIntervalSeconds: number;
  /** [DEFAULT] resize_confirm_window: seconds after which a resize is confirmed by itself; 0 = never. */
  readonly resizeConfirmWindowSeconds: number;
  /** [DEFAULT] running_deleted_instance_poll_interval: upkeep of what deleted instances left; 0 or less = never. */
  readonly cleanUpIntervalSeconds: number;
  /**
   * Whether an allocation of a consumer that the store does not know is removed at once. In a real cloud it may be an
   * instance that is still being scheduled, or a migration.
   */
  readonly unknownConsumers: 'keep' | 'remove';
  /** [pci] device_spec (formerly passthrough_whitelist): JSON texts. */
  readonly pciDeviceSpec: readonly string[];
  /** [pci] alias: JSON texts. */
  readonly pciAlias: readonly string[];
}

export const DEFAULT_COMPUTE_CONFIG: ComputeConfig = {
  myIp: '127.0.0.1',
  maxConcurrentBuilds: 10,
  shutdownTimeoutSeconds: 60,
  shutdownRetryIntervalSeconds: 10,
  blockDeviceAllocateRetries: 60,
  blockDeviceAllocateRetriesIntervalSeconds: 3,
  vifPluggingTimeoutSeconds: 300,
  vifPluggingIsFatal: true,
  resumeGuestsStateOnHostBoot: true,
  defaultAvailabilityZone: 'nova',
  handleVirtLifecycleEvents: true,
  forceConfigDrive: false,
  configDriveInjectPassword: false,
  dhcpDomain: 'novalocal',
  vendordataJsonfilePath: '',
  reservedHostCpus: 0,
  reservedHostMemoryMb: 512,
  reservedHostDiskMb: 0,
  cpuAllocationRatio: null,
  ramAllocationRatio: null,
  diskAllocationRatio: null,
  initialCpuAllocationRatio: 4,
  initialRamAllocationRatio: 1,
  initialDiskAllocationRatio: 1,
  reportIntervalSeconds: 10,
  updateResourcesIntervalSeconds: 60,
  syncPowerStateIntervalSeconds: 600,
  imageCacheIntervalSeconds: 2400,
  resizeConfirmWindowSeconds: 0,
  cleanUpIntervalSeconds: 1800,
  unknownConsumers: 'keep',
  pciDeviceSpec: [],
  pciAlias: [],
};

/** Options that Nova, too, takes below zero as "never". */
const MAY_BE_NEGATIVE: ReadonlySet<string> = new Set([
  'syncPowerStateIntervalSeconds',
  'imageCacheIntervalSeconds',
  'cleanUpIntervalSeconds',
]);
const ABOVE_ZERO: ReadonlySet<string> = new Set([
  'reportIntervalSeconds',
  'updateResourcesIntervalSeconds',
  'shutdownRetryIntervalSeconds',
  'cpuAllocationRatio',
  'ramAllocationRatio',
  'diskAllocationRatio',
  'initialCpuAllocationRatio',
  'initialRamAllocationRatio',
  'initialDiskAllocationRatio',
]);

/** Fills in the defaults. @throws ComputeError InvalidConfiguration */
export function computeConfig(given: Partial<ComputeConfig> = {}): ComputeConfig {
  const config = { ...DEFAULT_COMPUTE_CONFIG, ...given };
  for (const [name, value] of Object.entries(config)) {
    if (typeof value !== 'number') continue;
    const lowest = ABOVE_ZERO.has(name) ? Number.MIN_VALUE : 0;
    if (!Number.isFinite(value) || (value < lowest && !MAY_BE_NEGATIVE.has(name))) {
      throw new ComputeError(
        'InvalidConfiguration',
        `The option ${name} cannot be ${value}: give a number ${lowest > 0 ? 'above' : 'from'} 0.`,
      );
    }
  }
  return config;
}
