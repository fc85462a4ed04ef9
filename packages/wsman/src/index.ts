export * from './cim/value.js';
export * from './client/client.js';
export * from './errors.js';
export * from './schema/schema.js';
export * from './server/provider.js';
export * from './wql/ast.js';
