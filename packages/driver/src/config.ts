import { DriverError } from './errors.js';

/** The options of nova.conf that this driver reads, by their names in camel case. */
export interface DriverConfig {
  /** [DEFAULT] instances_path: the host's path. */
  readonly instancesPath: string;
  /** [DEFAULT] use_cow_images */
  readonly useCowImages: boolean;
  /** [DEFAULT] config_drive_format: `iso9660`, for others are refused. */
  readonly configDriveFormat: string;
  /** [hyperv] config_drive_cdrom: the config drive is a DVD; false: a disk. */
  readonly configDriveCdrom: boolean;
  /** [hyperv] wait_soft_reboot_seconds */
  readonly waitSoftRebootSeconds: number;
  /** [hyperv] dynamic_memory_ratio: start memory = memory / ratio; 1 = static memory. */
  readonly dynamicMemoryRatio: number;
  /** [hyperv] limit_cpu_features */
  readonly limitCpuFeatures: boolean;
  /** [hyperv] vswitch_name: the switch that ports are connected to; the first external one when it is not given. */
  readonly vswitchName?: string;
  /** [hyperv] instance_automatic_shutdown: shut guests down with the host instead of saving them. */
  readonly instanceAutomaticShutdown: boolean;
  /** [hyperv] enable_remotefx */
  readonly enableRemoteFx: boolean;
  /** [hyperv] enable_instance_metrics_collection */
  readonly enableInstanceMetricsCollection: boolean;
  /** Whether [pci] device_spec offers devices of this host. */
  readonly pciPassthrough: boolean;
  /** [hyperv] power_state_event_polling_interval */
  readonly powerStateEventPollingIntervalSeconds: number;
  /** [hyperv] use_multipath_io: all paths to a block volume, put together by MPIO. */
  readonly useMultipathIo: boolean;
  /** [hyperv] iscsi_initiator_list: InstanceNames of the adapters to log in with; the host's choice when it is empty. */
  readonly iscsiInitiatorList: readonly string[];
  /** [hyperv] mounted_disk_query_retry_count: how often a host is looked through for a volume's disk. */
  readonly mountedDiskQueryRetryCount: number;
  /** [hyperv] mounted_disk_query_retry_interval */
  readonly mountedDiskQueryRetryIntervalSeconds: number;
  /** [hyperv] volume_attach_retry_count: further tries of an attachment. */
  readonly volumeAttachRetryCount: number;
  /** [hyperv] volume_attach_retry_interval */
  readonly volumeAttachRetryIntervalSeconds: number;
  /** [DEFAULT] my_block_storage_ip: this host's address in the storage network; '' = not known. */
  readonly myBlockStorageIp: string;
  /** [image_cache] subdirectory_name: the folder of base images below instances_path. */
  readonly imageCacheSubdirectory: string;
  /** [image_cache] remove_unused_base_images */
  readonly removeUnusedBaseImages: boolean;
  /** [image_cache] remove_unused_original_minimum_age_seconds */
  readonly removeUnusedOriginalMinimumAgeSeconds: number;
}

/** The defaults of Nova's own options. */
export const DEFAULT_CONFIG: DriverConfig = {
  instancesPath: 'C:\\OpenStack\\Instances',
  useCowImages: true,
  configDriveFormat: 'iso9660',
  configDriveCdrom: false,
  waitSoftRebootSeconds: 60,
  dynamicMemoryRatio: 1,
  limitCpuFeatures: false,
  instanceAutomaticShutdown: false,
  enableRemoteFx: false,
  enableInstanceMetricsCollection: false,
  pciPassthrough: false,
  powerStateEventPollingIntervalSeconds: 2,
  useMultipathIo: false,
  iscsiInitiatorList: [],
  mountedDiskQueryRetryCount: 10,
  mountedDiskQueryRetryIntervalSeconds: 5,
  volumeAttachRetryCount: 10,
  volumeAttachRetryIntervalSeconds: 5,
  myBlockStorageIp: '',
  imageCacheSubdirectory: '_base',
  removeUnusedBaseImages: true,
  removeUnusedOriginalMinimumAgeSeconds: 86_400,
};

/** What each option may be, where its type allows more. */
const NEEDED: readonly {
  readonly option: string;
  readonly field: keyof DriverConfig;
  readonly isFine: (config: DriverConfig) => boolean;
  readonly needed: string;
}[] = [
  {
    option: '[image_cache] subdirectory_name',
    field: 'imageCacheSubdirectory',
    isFine: ({ imageCacheSubdirectory: name }) => /^[\w-](?:[\w .-]*[\w-])?$/.test(name),
    needed: 'the name of one folder',
  },
  {
    option: '[hyperv] dynamic_memory_ratio',
    field: 'dynamicMemoryRatio',
    isFine: ({ dynamicMemoryRatio }) => dynamicMemoryRatio >= 1,
    needed: '1.0 or more',
  },
  {
    option: '[hyperv] wait_soft_reboot_seconds',
    field: 'waitSoftRebootSeconds',
    isFine: ({ waitSoftRebootSeconds }) => waitSoftRebootSeconds >= 0,
    needed: '0 or more',
  },
  {
    option: '[hyperv] power_state_event_polling_interval',
    field: 'powerStateEventPollingIntervalSeconds',
    isFine: ({ powerStateEventPollingIntervalSeconds: seconds }) => seconds > 0,
    needed: 'more than 0',
  },
  {
    option: '[image_cache] remove_unused_original_minimum_age_seconds',
    field: 'removeUnusedOriginalMinimumAgeSeconds',
    isFine: ({ removeUnusedOriginalMinimumAgeSeconds: seconds }) => seconds >= 0,
    needed: '0 or more',
  },
];

/** Options that are counts or times: none is negative. */
const AT_LEAST_ZERO: readonly (readonly [string, keyof DriverConfig])[] = [
  ['mounted_disk_query_retry_count', 'mountedDiskQueryRetryCount'],
  ['mounted_disk_query_retry_interval', 'mountedDiskQueryRetryIntervalSeconds'],
  ['volume_attach_retry_count', 'volumeAttachRetryCount'],
  ['volume_attach_retry_interval', 'volumeAttachRetryIntervalSeconds'],
];

/** Fills in the defaults. @throws DriverError InvalidConfiguration */
export function driverConfig(given: Partial<DriverConfig> = {}): DriverConfig {
  const config = { ...DEFAULT_CONFIG, ...given };
  const wrong = [
    ...NEEDED,
    ...AT_LEAST_ZERO.map(([option, field]) => ({
      option: `[hyperv] ${option}`,
      field,
      isFine: () => Number(config[field]) >= 0,
      needed: '0 or more',
    })),
  ].find(({ isFine }) => !isFine(config));
  if (wrong === undefined) return config;
  throw new DriverError(
    'InvalidConfiguration',
    `The option ${wrong.option} is ${String(config[wrong.field])}; it has to be ${wrong.needed}.`,
  );
}
