export * from './engine/engine.js';
export * from './options.js';
