import { readFileSync } from 'node:fs';
import { isRecord } from './json.js';

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  return isRecord(manifest) && typeof manifest['version'] === 'string' ? manifest['version'] : 'unknown';
}

/** This package's version. */
export const VERSION: string = readVersion();
