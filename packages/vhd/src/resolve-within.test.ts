import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ResolveParent } from './disk.js';
import { resolveWithin } from './resolve-within.js';
import { inTempFolder } from './test-support/temp-folder.js';

function inTree(test: (root: string) => Promise<void> | void): Promise<void> {
  return inTempFolder(async (root) => {
    for (const folder of ['vms/one', 'base', 'secret'])
      await mkdir(path.join(root, folder), { recursive: true });
    for (const file of ['vms/one/child.vhdx', 'vms/near.vhdx', 'base/base.vhdx', 'secret/key.vhdx']) {
      await writeFile(path.join(root, file), '');
    }
    await symlink(path.join(root, 'secret/key.vhdx'), path.join(root, 'vms/link.vhdx'));
    await symlink(path.join(root, 'secret'), path.join(root, 'vms/folder'));
    await symlink(path.join(root, 'base/base.vhdx'), path.join(root, 'vms/inside.vhdx'));
    await test(root);
  });
}

function vmsAndBase(root: string): ResolveParent {
  return resolveWithin([path.join(root, 'vms'), path.join(root, 'base'), path.join(root, 'none')]);
}

describe('resolveWithin', () => {
  it.each([
    ['a relative path', String.raw`..\near.vhdx`, 'vms/near.vhdx'],
    ['one with slashes', '../near.vhdx', 'vms/near.vhdx'],
    ['one into another folder', String.raw`.\..\..\base\base.vhdx`, 'base/base.vhdx'],
    ['an absolute path, by its name', String.raw`D:\else\where\base.vhdx`, 'base/base.vhdx'],
    ['a long path', String.raw`\\?\D:\else\where\base.vhdx`, 'base/base.vhdx'],
    [
      'a volume path',
      String.raw`\\?\Volume{26a21bda-a627-11d7-9931-806e6f6e6963}\x\near.vhdx`,
      'vms/near.vhdx',
    ],
    ['a path of the current drive', String.raw`\else\base.vhdx`, 'base/base.vhdx'],
    ['a name beside the child', String.raw`C:\vm\child.vhdx`, 'vms/one/child.vhdx'],
    ['a link that stays inside', String.raw`..\inside.vhdx`, 'base/base.vhdx'],
  ])('finds %s', (_what, locator, wanted) =>
    inTree((root) => {
      expect(vmsAndBase(root)(locator, path.join(root, 'vms/one/child.vhdx'))).toBe(path.join(root, wanted));
    }),
  );

  it.each([
    ['a folder that is not allowed', String.raw`..\..\secret\key.vhdx`],
    ['a name that is only there', String.raw`C:\vm\key.vhdx`],
    ['a link out', String.raw`..\link.vhdx`],
    ['a linked folder', String.raw`..\folder\key.vhdx`],
    ['a link by an absolute path', String.raw`C:\vms\link.vhdx`],
    ['a share', String.raw`\\server\share\base.vhdx`],
    ['a share by its long path', String.raw`\\?\UNC\server\share\base.vhdx`],
    ['a device', String.raw`\\.\PhysicalDrive0`],
    ['a device of this machine', '/dev/zero'],
    ['a file of this machine', '/etc/passwd'],
    ['many steps up', `${'..\\'.repeat(40)}etc\\passwd`],
    ['a drive in the middle', String.raw`..\C:\base.vhdx`],
    ['a second stream', String.raw`..\near.vhdx:stream`],
    ['a zero character', '..\\near.vhdx\0'],
    ['a folder', String.raw`..\one`],
    ['dots', String.raw`C:\x\..`],
    ['nothing', ''],
    ['what is not there', String.raw`..\none.vhdx`],
  ])('does not lead to %s', (_what, locator) =>
    inTree((root) => {
      expect(vmsAndBase(root)(locator, path.join(root, 'vms/one/child.vhdx'))).toBeUndefined();
    }),
  );
});
