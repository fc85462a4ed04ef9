/** The options of nova.conf that this driver reads, by their names in camel case. */
export interface DriverConfig {
  /** [DEFAULT] instances_path: the host's path. */
  readonly instancesPath: string;
  /** [DEFAULT] use_cow_images */
  readonly useCowImages: boolean;
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
  /** [hyperv] power_state_event_polling_interval */
  readonly powerStateEventPollingIntervalSeconds: number;
  /** [image_cache] remove_unused_base_images */
  readonly removeUnusedBaseImages: boolean;
  /** [image_cache] remove_unused_original_minimum_age_seconds */
  readonly removeUnusedOriginalMinimumAgeSeconds: number;
}

/** The defaults of Nova's own options. */
export const DEFAULT_CONFIG: DriverConfig = {
  instancesPath: 'C:\\OpenStack\\Instances',
  useCowImages: true,
  waitSoftRebootSeconds: 60,
  dynamicMemoryRatio: 1,
  limitCpuFeatures: false,
  instanceAutomaticShutdown: false,
  powerStateEventPollingIntervalSeconds: 2,
  removeUnusedBaseImages: true,
  removeUnusedOriginalMinimumAgeSeconds: 86_400,
};
