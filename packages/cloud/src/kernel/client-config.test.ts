import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { cloudsYaml, openrc } from './client-config.js';

const access = {
  url: 'http://127.0.0.1:8780',
  username: 'admin',
  password: `it's "quoted" $HOME \\ #1: {x}`,
  projectName: 'admin',
  region: 'RegionOne',
};

describe('client configuration', () => {
  it('quotes whatever a password holds, for YAML', () => {
    const line =
      cloudsYaml(access)
        .split('\n')
        .find((text) => text.includes('password:')) ?? '';
    expect(JSON.parse(line.slice(line.indexOf(':') + 1))).toBe(access.password);
    expect(cloudsYaml(access)).toContain('  nova-hyperv:\n');
  });

  it('quotes whatever a password holds, for the shell', () => {
    const script = `${openrc(access)}printf '%s' "$OS_PASSWORD"`;
    expect(execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8' })).toBe(access.password);
  });
});
