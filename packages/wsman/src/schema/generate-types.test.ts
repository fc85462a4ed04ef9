import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('../../scripts/generate-types.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'wsman-types-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function generate(...words: string[]): string {
  const out = join(folder, 'out.ts');
  execFileSync(process.execPath, [script, out, ...words], { stdio: 'pipe' });
  return readFileSync(out, 'utf8');
}

describe('generate-types', () => {
  it('writes interfaces with inherited members and value names', () => {
    const text = generate(
      'root/virtualization/v2',
      'msvm_concretejob',
      '--',
      'root/cimv2',
      'Win32_ServerFeature',
    );
    expect(text).toContain('export interface Msvm_ConcreteJob {');
    expect(text).toContain('  readonly ElapsedTime?: CimInterval | null;');
    expect(text).toContain('  readonly OperationalStatus?: readonly number[] | null;');
    expect(text).toMatch(/Msvm_ConcreteJob_JobState = \{[^}]*CompletedWithWarnings: 32768,/u);
    expect(text).toContain('export interface Win32_ServerFeature {');
    expect(text).toContain("import type { CimDateTime, CimInterval } from '@nova-hyperv/wsman';");
  });

  it('refuses a class that the data does not have', () => {
    expect(() => generate('root/virtualization/v2', 'Msvm_Nothing')).toThrow(/no class Msvm_Nothing/u);
  });
});
