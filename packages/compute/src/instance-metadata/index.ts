export type { InjectedFile, MetadataInput } from './input.js';
export { fullHostname } from './input.js';
export type { MetadataAnswer, MetadataFile } from './instance-metadata.js';
export { configDriveFiles, lookUpMetadata, rootListing } from './instance-metadata.js';
export type { MetadataExtras } from './from-record.js';
export { MAX_PASSWORD_LENGTH, metadataInput, withPostedPassword } from './from-record.js';
export { EC2_ROOTS } from './versions.js';
export { readVendorData } from './vendor-data.js';
