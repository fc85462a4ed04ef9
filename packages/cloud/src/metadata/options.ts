import { computeConfig, computeOptions, type NovaConf } from '@nova-hyperv/compute';
import type { MetadataConfig } from './instances.js';

/**
 * nova.conf's options that the metadata service reads.
 * @throws ComputeError InvalidConfiguration for values of a wrong kind
 */
export function metadataOptions(conf: NovaConf): MetadataConfig {
  const { dhcpDomain, vendordataJsonfilePath, defaultAvailabilityZone } = computeConfig(computeOptions(conf));
  return { dhcpDomain, vendordataJsonfilePath, defaultAvailabilityZone };
}
