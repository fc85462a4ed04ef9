export * from './reach.js';
export * from './errors.js';
export * from './mapped-reach.js';
export * from './shapes.js';
export * from './windows-path.js';
