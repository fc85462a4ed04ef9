export * from './kernel/service.js';
export * from './kernel/errors.js';
export { DatabaseError } from './kernel/sqlite.js';
export * from './kernel/client-config.js';
export * from './create-cloud.js';
export * from './compute/index.js';
export * from './block-storage/backends/backend.js';
export { createBackends, type BackendsOptions } from './block-storage/backends/create-backends.js';
export { smbShare, type SmbShare, type SmbShareOptions } from './block-storage/backends/smb-backend.js';
