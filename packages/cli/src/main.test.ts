import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createVhdx } from '@nova-hyperv/vhd';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EXIT, explain } from './errors.js';
import { main } from './main.js';

let folder: string;
let printed: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nova-hyperv-cli-'));
  printed = [];
  const keep = (...words: unknown[]): void => void printed.push(words.join(' '));
  vi.spyOn(console, 'log').mockImplementation(keep);
  vi.spyOn(console, 'error').mockImplementation(keep);
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => (keep(text), true));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

const run = (...words: string[]): Promise<number> => main(['node', 'nova-hyperv', ...words]);

describe('nova-hyperv', () => {
  it('vhd info tells people and programs what a file is', async () => {
    const path = join(folder, 'x.vhd');
    await createVhdx({ path, type: 'dynamic', virtualSize: 2 ** 30 });
    expect(await run('vhd', 'info', path)).toBe(EXIT.ok);
    expect(printed.join('\n')).toMatch(/format +vhdx, dynamic\nvirtual size +1073741824 bytes \(1.00 GiB\)/);
    printed = [];
    expect(await run('vhd', 'info', '--json', path)).toBe(EXIT.ok);
    expect(JSON.parse(printed.join(''))).toMatchObject({ format: 'vhdx', virtualSize: 2 ** 30 });
  });

  it('vhd info says in one sentence why a file is none', async () => {
    const path = join(folder, 'x.vhdx');
    await writeFile(path, 'nothing');
    expect(await run('vhd', 'info', path)).toBe(EXIT.failed);
    expect(await run('vhd', 'info', join(folder, 'gone.vhdx'))).toBe(EXIT.failed);
    expect(printed).toHaveLength(2);
    expect(printed[0]).toContain(path);
    expect(printed[1]).toContain('there is no such file');
  });

  it.each([
    [['up', '--port', 'x']],
    [['up', '--port', '70000']],
    [['up', '--engine', 'vmware']],
    [['up', '--host', 'a:2008']],
    [['emulator', '--release', '2008']],
    [['nothing']],
  ])('%j is a mistake in the command line', async (words) => {
    expect(await run(...words, ...(words[0] === 'up' ? ['--state', folder] : []))).toBe(EXIT.usage);
    expect(printed.join('')).not.toMatch(/\n +at /);
  });

  it('down says when nothing runs', async () => {
    expect(await run('down', '--state', folder)).toBe(EXIT.ok);
    expect(printed).toEqual(['nothing runs this state folder']);
  });
});

describe('explain', () => {
  it('knows what a person can act on, and leaves faults of the program to their stack', () => {
    expect(
      explain(Object.assign(new Error('listen EADDRINUSE 127.0.0.1:8780'), { code: 'EADDRINUSE' })),
    ).toMatch(/--port/);
    expect(explain(Object.assign(new Error('the folder is in use'), { code: 'EMULATOR_STATE' }))).toBe(
      'the folder is in use',
    );
    expect(explain(new TypeError('x is not a function'))).toBeUndefined();
  });
});
