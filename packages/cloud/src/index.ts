export * from './kernel/service.js';
