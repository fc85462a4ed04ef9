export { createNovaService, type NovaService } from './service.js';
export type { NovaDeps } from './deps.js';
export { DEFAULT_CONFIG, DEFAULT_QUOTAS, type NovaConfig, type QuotaName } from './config.js';
export type * from './ports.js';
export { createSqliteInstanceStore } from './store/instance-store.js';
export { createSqliteMigrationStore } from './store/instance-migrations.js';
export { createSqliteServiceStore } from './store/service-store.js';
export { novaOptions } from './nova-options.js';
export { COMPUTE_MIGRATIONS } from './store/migrations.js';
