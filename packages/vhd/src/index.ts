export * from './disk.js';
export * from './errors.js';
