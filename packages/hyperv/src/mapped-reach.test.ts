import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mappedReach } from './mapped-reach.js';

describe('mappedReach', () => {
  let root: string;
  beforeEach(async () => {
    root = await realpath(await mkdtemp(join(tmpdir(), 'reach-')));
    await mkdir(join(root, 'c', 'OpenStack'), { recursive: true });
    await mkdir(join(root, 'p'));
    await writeFile(join(root, 'secret'), '');
  });
  afterEach(async () => {
    await rm(root, { recursive: true });
  });
  const reach = () => mappedReach({ drives: { c: join(root, 'c') }, pipes: join(root, 'p') });

  it('maps a drive, whatever the case of what is there', () => {
    expect(reach().local('C:\\OpenStack\\Instances\\x.vhdx')).toBe(
      join(root, 'c/OpenStack/Instances/x.vhdx'),
    );
    expect(reach().local('c:\\OPENSTACK\\New')).toBe(join(root, 'c/OpenStack/New'));
    expect(reach().local('C:/openstack/')).toBe(join(root, 'c/OpenStack'));
  });

  it.each([
    'D:\\x',
    'x',
    '\\\\server\\share\\x',
    '\\\\?\\C:\\x',
    'C:x',
    'C:\\..\\secret',
    'C:\\a\\..\\..\\secret',
    'C:\\.\\a',
    'C:\\nul',
    'C:\\COM1.txt',
    'C:\\a:stream',
    'C:\\a*',
    'C:\\a.',
    'C:\\a ',
    'C:\\a\0b',
    `C:\\${'x'.repeat(256)}`,
  ])('refuses %j', (path) => {
    expect(() => reach().local(path)).toThrow(expect.objectContaining({ code: 'HYPERV_PATH' }));
  });

  it('refuses a link that leads out, also on the way to something new', async () => {
    await symlink(root, join(root, 'c', 'out'));
    await symlink(join(root, 'c', 'OpenStack'), join(root, 'c', 'in'));
    await symlink(join(root, 'nowhere'), join(root, 'c', 'dead'));
    expect(() => reach().local('C:\\out\\secret')).toThrow(/leads out/);
    expect(() => reach().local('C:\\out\\new\\file')).toThrow(/leads out/);
    expect(() => reach().local('C:\\dead\\x')).toThrow(/nowhere/);
    expect(reach().local('C:\\in\\x')).toBe(join(root, 'c/in/x'));
  });

  it('never leaves the folder, whatever the path', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constantFrom('..', '.', '', 'a', '\\', '/'), fc.string({ maxLength: 6 }))),
        (parts) => {
          let local: string;
          try {
            local = reach().local(`C:\\${parts.join('\\')}`);
          } catch {
            return;
          }
          expect(local === join(root, 'c') || local.startsWith(`${join(root, 'c')}/`)).toBe(true);
        },
      ),
    );
  });

  it('opens a pipe that is there and says undefined for one that is not', async () => {
    expect(await reach().openPipe('none')).toBeUndefined();
    const server = createServer((socket) => socket.end('hello'));
    await new Promise<void>((resolve) => server.listen(join(root, 'p', 'there'), resolve));
    const pipe = await reach().openPipe('there');
    let text = '';
    for await (const chunk of pipe ?? []) text += String(chunk);
    expect(text).toBe('hello');
    server.close();
    await expect(reach().openPipe('../secret')).rejects.toThrow(
      expect.objectContaining({ code: 'HYPERV_PATH' }),
    );
    expect(mappedReach({ drives: {} }).pipesReachable).toBe(false);
  });
});
