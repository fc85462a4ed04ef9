export { MemoryProvider } from './memory-provider.js';
export type { MemoryMethod, MemoryProviderOptions } from './memory-provider.js';
export { sampleMachine, sampleProvider, SAMPLE_NAMESPACE } from './sample.js';
