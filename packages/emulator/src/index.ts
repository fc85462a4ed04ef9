export * from './engine/index.js';
export * from './options.js';
export { EmulatorError } from './errors.js';
export { REFUSALS } from './refusals.js';
export type { Refusal } from './refusals.js';
export { newShieldingData } from './security/shielding-data.js';
export { startEmulatedHost } from './start-host.js';
export { serveHost } from './serve-host.js';
export type { EngineSurroundings, HostEngine, ServedHost, ServeOptions } from './serve-host.js';
