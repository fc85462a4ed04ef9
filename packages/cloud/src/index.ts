export * from './kernel/service.js';
export * from './kernel/errors.js';
export * from './kernel/sqlite.js';
export * from './create-cloud.js';
