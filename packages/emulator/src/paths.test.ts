import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { assert, property, string } from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { DrivePaths } from './paths.js';

const root = mkdtempSync(path.join(tmpdir(), 'drive-paths-'));
const paths = new DrivePaths(root);
mkdirSync(path.join(root, 'OpenStack', 'Instances'), { recursive: true });
writeFileSync(path.join(root, 'OpenStack', 'Instances', 'Disk.VHDX'), '');

afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

describe('Windows paths', () => {
  it.each([
    [String.raw`C:\OpenStack\Instances\Disk.VHDX`],
    [String.raw`c:\openstack\INSTANCES\disk.vhdx`],
    ['C:/OpenStack/Instances/disk.vhdx'],
    [String.raw`\\?\C:\OpenStack\\Instances\disk.vhdx`],
  ])('%s is found in any case', (windows) => {
    expect(paths.toLocal(windows)).toBe(path.join(root, 'OpenStack', 'Instances', 'Disk.VHDX'));
  });

  it('a new file keeps the case that was asked for, below folders as they are', () => {
    expect(paths.toLocal(String.raw`c:\OPENSTACK\New.vhdx`)).toBe(path.join(root, 'OpenStack', 'New.vhdx'));
  });

  it.each([
    ['', 'nothing'],
    ['disk.vhdx', 'relative'],
    [String.raw`\OpenStack`, 'without a drive'],
    [String.raw`D:\disk.vhdx`, 'another drive'],
    [String.raw`\\server`, 'a server'],
    [String.raw`C:\a\..\..\etc\passwd`, 'parent folders'],
    [String.raw`C:\a\.\b`, 'this folder'],
    [String.raw`C:\disk.vhdx:stream`, 'a stream'],
    [String.raw`C:\CON`, 'a device'],
    [String.raw`C:\a\com1.txt`, 'a device with an extension'],
    [String.raw`C:\a\nul .vhdx`, 'a device with a space and an extension'],
    [String.raw`C:\conin$`, 'the console'],
    [String.raw`\\.\PhysicalDrive0`, 'a device path'],
    [String.raw`\\?\UNC\server`, 'long UNC of a server'],
    [String.raw`\\server\share\..\other\a.vhdx`, 'UNC with parent folders'],
    [String.raw`C:\a\name.`, 'a dot at the end'],
    [String.raw`C:\a\name `, 'a space at the end'],
    ['C:\\a\u0000b', 'a control character'],
    [String.raw`C:\a|b`, 'a bar'],
    [`C:\\${'x'.repeat(256)}`, 'a long name'],
  ])('%j is refused: %s', (windows) => {
    expect(() => paths.toLocal(windows)).toThrow(/no path of this host/);
  });

  it('a file server is not found by a host that knows none', () => {
    expect(() => paths.toLocal(String.raw`\\server\share\disk.vhdx`)).toThrow(/network path was not found/);
  });

  it('a text about files names them as the host does', () => {
    const local = path.join(root, 'a', 'b.vhdx');
    expect(paths.inWindowsTerms(`'${local}' and ${local}: gone`)).toBe(
      String.raw`'C:\a\b.vhdx' and C:\a\b.vhdx: gone`,
    );
    expect(paths.inWindowsTerms('/elsewhere/a is gone')).toBe('/elsewhere/a is gone');
  });

  it('never leads out of the folder, and comes back', () => {
    assert(
      property(string(), (text) => {
        let local: string;
        try {
          local = paths.toLocal(`C:\\${text}`);
        } catch {
          return;
        }
        expect(local === root || local.startsWith(`${root}/`)).toBe(true);
        const names = text.split(/[\\/]+/).filter((part) => part !== '');
        expect(paths.toWindows(local).toLowerCase()).toBe(`C:\\${names.join('\\')}`.toLowerCase());
      }),
    );
  });
});
