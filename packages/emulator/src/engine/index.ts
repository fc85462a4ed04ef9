export * from './engine.js';
export { createNoneEngine } from './none.js';
export type { NoneEngine, NoneEngineOptions } from './none.js';
export { detectQemu } from './qemu/detect.js';
export type { DetectOptions, QemuDetection, QemuFacts, UefiFirmware } from './qemu/detect.js';
export { createQemuEngine } from './qemu/engine.js';
export type { QemuEngine, QemuEngineOptions } from './qemu/engine.js';
export { SwitchFabric, VirtualSwitch } from './virtual-switch.js';
export type { SwitchPort } from './virtual-switch.js';
