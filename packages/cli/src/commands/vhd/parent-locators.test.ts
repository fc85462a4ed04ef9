import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parentLocators } from './parent-locators.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nova-hyperv-locators-'));
  for (const name of ['a', 'b', 'b/c']) await mkdir(join(folder, name));
  for (const name of ['a/base.vhdx', 'b/base.vhdx', 'b/x:y.vhdx']) await writeFile(join(folder, name), '');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it.each([
  ['b/child.vhdx', 'b/base.vhdx', '.\\base.vhdx'],
  ['b/child.vhdx', 'a/base.vhdx', '..\\a\\base.vhdx'],
  ['b/c/child.vhdx', 'b/base.vhdx', '..\\base.vhdx'],
  ['child.vhdx', 'b/base.vhdx', '.\\b\\base.vhdx'],
])('from %s to %s it is %s', async (child, parent, relativePath) => {
  expect(await parentLocators(join(folder, child), join(folder, parent), undefined)).toEqual({
    relativePath,
  });
});

it('follows links: Windows will not find them', async () => {
  await symlink(join(folder, 'a'), join(folder, 'link'));
  const located = await parentLocators(
    join(folder, 'b/child.vhdx'),
    join(folder, 'link/base.vhdx'),
    'C:\\a\\base.vhdx',
  );
  expect(located).toEqual({ relativePath: '..\\a\\base.vhdx', absoluteWin32Path: 'C:\\a\\base.vhdx' });
});

it('refuses what is no path on Windows', async () => {
  const child = join(folder, 'b/child.vhdx');
  await expect(parentLocators(child, join(folder, 'b/x:y.vhdx'), undefined)).rejects.toThrow('x:y.vhdx');
  await expect(parentLocators(child, join(folder, 'a/base.vhdx'), '/a/base.vhdx')).rejects.toThrow(
    'not an absolute',
  );
});
