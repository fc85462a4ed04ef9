export * from './ports.js';
export * from './block-device.js';
export * from './device-names.js';
export * from './errors.js';
export { systemClock, type Clock } from './util/clock.js';
export * from './rest/rest-error.js';
export { segment, type CallOptions, type RestClientOptions, type TokenSource } from './rest/rest-client.js';
export * from './rest/cinder.js';
export * from './rest/glance.js';
export * from './rest/keystone.js';
export * from './rest/nova.js';
export { ImageDownloadError, type ImageDownloadErrorCode } from './rest/glance-download.js';
export * from './rest/neutron.js';
export * from './rest/placement.js';
export * from './rest/clients.js';
export * from './config.js';
export * from './instance-metadata/index.js';
export { imageOf } from './manager/image-facts.js';
export { hostedFlavor } from './manager/block-devices.js';
export * from './pci/alias.js';
export * from './pci/assign.js';
export { parseDeviceSpecs } from './pci/device-spec.js';
export { NovaConf } from './nova-conf/nova-conf.js';
export { computeOptions, driverOptions } from './nova-conf/options.js';
export type { ComputePorts } from './manager/context.js';
export {
  createComputeManager,
  type ComputeManager,
  type ComputeManagerOptions,
} from './manager/compute-manager.js';
export {
  createMemoryBlockDeviceStore,
  createMemoryInstanceStore,
  createMemoryMigrationStore,
  createMemoryServiceStore,
  type MemoryBlockDeviceStore,
  type MemoryInstanceStore,
  type MemoryMigrationStore,
  type MemoryServiceStore,
} from './testing/memory-stores.js';
