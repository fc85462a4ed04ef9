import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolders } from '../testing/temp-folder.js';
import { detectQemu, parseVersion, pickMachineType } from './detect.js';

describe('what is known of the installed QEMU', () => {
  const folder = temporaryFolders();

  it('reads the version', () => {
    expect(parseVersion('QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)')).toEqual([7, 2, 22]);
    expect(parseVersion('QEMU emulator version 10.0')).toEqual([10, 0, 0]);
    expect(parseVersion('bash: 5.2')).toBeUndefined();
  });

  it('pins the machine type, and takes the newest of the family where that is gone', () => {
    const help =
      'Supported machines are:\npc-q35-9.10  x\npc-q35-9.2  x\npc-q35-7.2  x\npc-i440fx-9.0  x\nq35 x';
    expect(pickMachineType(help, 2)).toBe('pc-q35-7.2');
    expect(pickMachineType(help.replace('pc-q35-7.2', ''), 2)).toBe('pc-q35-9.10');
    expect(pickMachineType(help, 1)).toBe('pc-i440fx-9.0');
    expect(pickMachineType('none', 1)).toBeUndefined();
  });

  async function script(body: string): Promise<string> {
    const file = path.join(await folder(), 'qemu');
    await writeFile(file, `#!/bin/sh\n${body}\n`);
    await chmod(file, 0o755);
    return file;
  }

  it('says what to do when it is too old, is none, or does not run', async () => {
    const old = await detectQemu({ qemuBinary: await script('echo QEMU emulator version 6.2.0') });
    expect(old.facts).toBeUndefined();
    expect(old.message).toContain('apt-get install');
    expect(old.message).toContain('too old');
    expect((await detectQemu({ qemuBinary: await script('echo hello') })).message).toContain('no QEMU');
    expect((await detectQemu({ qemuBinary: '/nowhere/qemu' })).message).toContain('does not run');
  });
});
