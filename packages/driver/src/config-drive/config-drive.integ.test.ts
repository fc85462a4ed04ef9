import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ConfigDrive } from '../types.js';
import { makeConfigDrive } from './config-drive-file.js';

const run = promisify(execFile);
const DATE = new Date('2026-01-02T03:04:05Z');

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'config-drive-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const file = (path: string, content: string) => ({ path, content: Buffer.from(content) });

/** What another tool reads out of an image. */
async function extracted(iso: string): Promise<Record<string, string>> {
  const target = await mkdtemp(join(folder, 'out-'));
  await run('xorriso', ['-osirrox', 'on', '-indev', iso, '-extract', '/', target]);
  const found: Record<string, string> = {};
  for (const entry of await readdir(target, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    found[relative(target, path)] = await readFile(path, 'utf8');
  }
  await run('chmod', ['-R', 'u+w', target]);
  return found;
}

async function made(form: 'iso' | 'vhd', drive: ConfigDrive): Promise<string> {
  const path = join(folder, `configdrive.${form}`);
  await rm(path, { force: true });
  await makeConfigDrive(path, form, drive);
  return path;
}

describe('a config drive', () => {
  const files = [
    file('openstack/latest/meta_data.json', '{"uuid":"1"}'),
    file('openstack/2012-08-10/meta_data.json', 'x'.repeat(5000)),
    file('openstack/latest/user_data', ''),
    file('ec2/2009-04-04/meta-data.json', '{}'),
    ...Array.from({ length: 100 }, (_, index) => file(`many/a-rather-long-name-${index}.txt`, `${index}`)),
  ];

  it('has its label, and the same tree in both kinds of names', async () => {
    const iso = await made('iso', { files, date: DATE });
    const { stdout: about } = await run('isoinfo', ['-d', '-i', iso]);
    expect(about).toMatch(/^Volume id: config-2$/m);
    expect(about).toMatch(/Joliet with UCS level 3 found/);
    expect(about).toMatch(/Rock Ridge signatures version 1 found/);
    const paths = files.map(({ path }) => `/${path}`).toSorted();
    for (const names of ['-R', '-J']) {
      const { stdout } = await run('isoinfo', [names, '-f', '-i', iso]);
      const listed = stdout.split('\n').map((line) => line.replace(/;1$/, ''));
      expect(listed.filter((line) => paths.includes(line)).toSorted()).toEqual(paths);
    }
    expect(await extracted(iso)).toEqual(
      Object.fromEntries(files.map(({ path, content }) => [path, content.toString()])),
    );
    const { stdout: blkid } = await run('blkid', ['-o', 'export', '-p', iso]);
    expect(blkid).toMatch(/^LABEL=config-2$/m);
    expect((await stat(iso)).mode & 0o777).toBe(0o600);
  });

  it('is read back whatever its files are', async () => {
    const name = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,40}$/);
    const tree = fc.uniqueArray(
      fc.record({
        path: fc.array(name, { minLength: 1, maxLength: 2 }),
        content: fc.string({ maxLength: 3000 }),
      }),
      { maxLength: 30, selector: ({ path }) => path[0] },
    );
    await fc.assert(
      fc.asyncProperty(tree, async (entries) => {
        const drive = entries.map(({ path, content }) => file(path.join('/'), content));
        const iso = await made('iso', { files: drive, date: DATE });
        expect(await extracted(iso)).toEqual(
          Object.fromEntries(drive.map(({ path, content }) => [path, content.toString()])),
        );
      }),
      { numRuns: 15 },
    );
  });

  it('is the content of a fixed VHD where it is a disk', async () => {
    const vhd = await made('vhd', { files, date: DATE });
    const { stdout } = await run('qemu-img', ['info', '--output=json', '-f', 'vpc', vhd]);
    expect(JSON.parse(stdout)).toMatchObject({ format: 'vpc', 'virtual-size': 1024 * 1024 });
    const raw = join(folder, 'raw.iso');
    await run('qemu-img', ['convert', '-f', 'vpc', '-O', 'raw', vhd, raw]);
    expect(Object.keys(await extracted(raw))).toHaveLength(files.length);
    expect((await stat(vhd)).mode & 0o777).toBe(0o600);
  });

  it('replaces nothing', async () => {
    const path = join(folder, 'configdrive.iso');
    await writeFile(path, 'theirs');
    await expect(makeConfigDrive(path, 'iso', { files, date: DATE })).rejects.toThrow(/EEXIST/);
    expect(await readFile(path, 'utf8')).toBe('theirs');
  });
});
