import type { DriverConfig } from '@nova-hyperv/driver';
import type { ComputeConfig } from '../config.js';
import type { NovaConf } from './nova-conf.js';

type Kind = 'text' | 'integer' | 'float' | 'flag' | 'list' | 'all';
type ValueOf = {
  text: string;
  integer: number;
  float: number;
  flag: boolean;
  list: readonly string[];
  all: readonly string[];
};
/** Fields of a configuration that an option of that kind may fill. */
type FieldOf<C, K extends Kind> = {
  [F in keyof C]-?: ValueOf[K] extends C[F] ? F : never;
}[keyof C] &
  string;
type Row<C> = {
  [K in Kind]: readonly [group: string, name: string, kind: K, field: FieldOf<C, K>, formerly?: string];
}[Kind];

/** nova.conf's options that the driver reads. */
const DRIVER: readonly Row<DriverConfig>[] = [
  ['DEFAULT', 'instances_path', 'text', 'instancesPath'],
  ['DEFAULT', 'use_cow_images', 'flag', 'useCowImages'],
  ['DEFAULT', 'config_drive_format', 'text', 'configDriveFormat'],
  ['hyperv', 'config_drive_cdrom', 'flag', 'configDriveCdrom'],
  ['hyperv', 'wait_soft_reboot_seconds', 'integer', 'waitSoftRebootSeconds'],
  ['hyperv', 'dynamic_memory_ratio', 'float', 'dynamicMemoryRatio'],
  ['hyperv', 'limit_cpu_features', 'flag', 'limitCpuFeatures'],
  ['hyperv', 'vswitch_name', 'text', 'vswitchName'],
  ['hyperv', 'instance_automatic_shutdown', 'flag', 'instanceAutomaticShutdown'],
  ['hyperv', 'enable_remotefx', 'flag', 'enableRemoteFx'],
  ['hyperv', 'enable_instance_metrics_collection', 'flag', 'enableInstanceMetricsCollection'],
  ['hyperv', 'power_state_event_polling_interval', 'integer', 'powerStateEventPollingIntervalSeconds'],
  ['hyperv', 'use_multipath_io', 'flag', 'useMultipathIo'],
  ['hyperv', 'iscsi_initiator_list', 'list', 'iscsiInitiatorList'],
  ['hyperv', 'mounted_disk_query_retry_count', 'integer', 'mountedDiskQueryRetryCount'],
  ['hyperv', 'mounted_disk_query_retry_interval', 'integer', 'mountedDiskQueryRetryIntervalSeconds'],
  ['hyperv', 'volume_attach_retry_count', 'integer', 'volumeAttachRetryCount'],
  ['hyperv', 'volume_attach_retry_interval', 'integer', 'volumeAttachRetryIntervalSeconds'],
  // Nova's default is $my_ip.
  ['DEFAULT', 'my_block_storage_ip', 'text', 'myBlockStorageIp', 'my_ip'],
  ['image_cache', 'remove_unused_base_images', 'flag', 'removeUnusedBaseImages'],
  [
    'image_cache',
    'remove_unused_original_minimum_age_seconds',
    'integer',
    'removeUnusedOriginalMinimumAgeSeconds',
  ],
  ['image_cache', 'subdirectory_name', 'text', 'imageCacheSubdirectory'],
];

/** nova.conf's options that the compute manager reads. */
const COMPUTE: readonly Row<ComputeConfig>[] = [
  ['DEFAULT', 'my_ip', 'text', 'myIp'],
  ['DEFAULT', 'max_concurrent_builds', 'integer', 'maxConcurrentBuilds'],
  ['DEFAULT', 'shutdown_timeout', 'integer', 'shutdownTimeoutSeconds'],
  ['DEFAULT', 'block_device_allocate_retries', 'integer', 'blockDeviceAllocateRetries'],
  [
    'DEFAULT',
    'block_device_allocate_retries_interval',
    'integer',
    'blockDeviceAllocateRetriesIntervalSeconds',
  ],
  ['DEFAULT', 'vif_plugging_timeout', 'integer', 'vifPluggingTimeoutSeconds'],
  ['DEFAULT', 'vif_plugging_is_fatal', 'flag', 'vifPluggingIsFatal'],
  ['DEFAULT', 'resume_guests_state_on_host_boot', 'flag', 'resumeGuestsStateOnHostBoot'],
  ['DEFAULT', 'default_availability_zone', 'text', 'defaultAvailabilityZone'],
  ['DEFAULT', 'reserved_host_cpus', 'integer', 'reservedHostCpus'],
  ['DEFAULT', 'reserved_host_memory_mb', 'integer', 'reservedHostMemoryMb'],
  ['DEFAULT', 'reserved_host_disk_mb', 'integer', 'reservedHostDiskMb'],
  ['DEFAULT', 'cpu_allocation_ratio', 'float', 'cpuAllocationRatio'],
  ['DEFAULT', 'ram_allocation_ratio', 'float', 'ramAllocationRatio'],
  ['DEFAULT', 'disk_allocation_ratio', 'float', 'diskAllocationRatio'],
  ['DEFAULT', 'initial_cpu_allocation_ratio', 'float', 'initialCpuAllocationRatio'],
  ['DEFAULT', 'initial_ram_allocation_ratio', 'float', 'initialRamAllocationRatio'],
  ['DEFAULT', 'initial_disk_allocation_ratio', 'float', 'initialDiskAllocationRatio'],
  ['DEFAULT', 'force_config_drive', 'flag', 'forceConfigDrive'],
  ['hyperv', 'config_drive_inject_password', 'flag', 'configDriveInjectPassword'],
  ['api', 'dhcp_domain', 'text', 'dhcpDomain'],
  ['api', 'vendordata_jsonfile_path', 'text', 'vendordataJsonfilePath'],
  ['DEFAULT', 'report_interval', 'integer', 'reportIntervalSeconds'],
  ['DEFAULT', 'update_resources_interval', 'integer', 'updateResourcesIntervalSeconds'],
  ['DEFAULT', 'sync_power_state_interval', 'integer', 'syncPowerStateIntervalSeconds'],
  ['DEFAULT', 'running_deleted_instance_poll_interval', 'integer', 'cleanUpIntervalSeconds'],
  ['image_cache', 'manager_interval', 'integer', 'imageCacheIntervalSeconds'],
  ['workarounds', 'handle_virt_lifecycle_events', 'flag', 'handleVirtLifecycleEvents'],
  ['pci', 'device_spec', 'all', 'pciDeviceSpec', 'passthrough_whitelist'],
  ['pci', 'alias', 'all', 'pciAlias'],
];

/** @throws ComputeError InvalidConfiguration for values of a wrong kind */
export function driverOptions(conf: NovaConf): Partial<DriverConfig> {
  return {
    ...read(conf, DRIVER),
    pciPassthrough: (computeOptions(conf).pciDeviceSpec ?? []).length > 0,
  };
}

/** @throws ComputeError InvalidConfiguration for values of a wrong kind */
export function computeOptions(conf: NovaConf): Partial<ComputeConfig> {
  return read(conf, COMPUTE);
}

function read<C>(conf: NovaConf, rows: readonly Row<C>[]): Partial<C> {
  const found: Partial<C> = {};
  for (const [group, name, kind, field, formerly] of rows) {
    const value = valueOf(conf, group, name, kind) ?? (formerly && valueOf(conf, group, formerly, kind));
    if (value !== undefined && value !== '') Object.assign(found, { [field]: value });
  }
  return found;
}

/** Undefined when no file sets the option. */
function valueOf(
  conf: NovaConf,
  group: string,
  name: string,
  kind: Kind,
): string | number | boolean | readonly string[] | undefined {
  if (kind !== 'all') return conf[kind](group, name);
  const values = conf.all(group, name);
  return values.length === 0 ? undefined : values;
}
