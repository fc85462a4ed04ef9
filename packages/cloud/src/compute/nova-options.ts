import type { NovaConf } from '@nova-hyperv/compute';
import { DEFAULT_CONFIG, QUOTA_NAMES, type NovaConfig } from './config.js';

/**
 * nova.conf's options that the compute API and the scheduler read.
 * @throws ComputeError InvalidConfiguration for values of a wrong kind
 */
export function novaOptions(conf: NovaConf): Partial<NovaConfig> {
  const quotas = QUOTA_NAMES.flatMap((name) => {
    const limit = conf.integer('quota', name);
    return limit === undefined ? [] : [[name, limit] as const];
  });
  const options: Partial<{ -readonly [K in keyof NovaConfig]: NovaConfig[K] | undefined }> = {
    serviceDownTimeS: conf.integer('DEFAULT', 'service_down_time'),
    maxAttempts: conf.integer('scheduler', 'max_attempts'),
    defaultAvailabilityZone: conf.text('DEFAULT', 'default_availability_zone'),
    internalAvailabilityZone: conf.text('DEFAULT', 'internal_service_availability_zone'),
    maxLimit: conf.integer('api', 'max_limit'),
    reportIntervalS: conf.integer('DEFAULT', 'report_interval'),
  };
  return {
    ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)),
    quotas: { ...DEFAULT_CONFIG.quotas, ...Object.fromEntries(quotas) },
    pciAlias: conf.all('pci', 'alias'),
  };
}
