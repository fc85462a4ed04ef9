import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, readdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { inTempFolder } from '../test-support/temp-folder.js';
import { lockDisk } from './disk-lock.js';
import { flagName, parseFlagName, placeDigest } from './flag.js';
import { startOf, thisPlace } from './holder.js';
import { findQemuLock } from './qemu-locks.js';

function withDisk(test: (disk: string, folder: string) => Promise<void>): Promise<void> {
  return inTempFolder(async (folder) => {
    const disk = path.join(folder, 'disk.vhdx');
    await writeFile(disk, 'x');
    await test(disk, folder);
  });
}

const inUse = expect.objectContaining({ code: 'VHD_IN_USE' });

describe('lockDisk', () => {
  it('lets many read or one write, whatever name the disk is reached by', () =>
    withDisk(async (disk, folder) => {
      const alias = path.join(folder, 'alias.vhdx');
      await symlink(disk, alias);
      const readers = [await lockDisk(disk, 'read', 'a'), await lockDisk(alias, 'read', 'b')];
      await expect(lockDisk(disk, 'write', 'c')).rejects.toEqual(inUse);
      for (const reader of readers) await reader.release();
      const writer = await lockDisk(alias, 'write', 'the writer');
      await expect(lockDisk(disk, 'read', 'd')).rejects.toThrow(`process ${process.pid} (the writer)`);
      await expect(lockDisk(disk, 'write', 'e')).rejects.toEqual(inUse);
      await writer.release();
      await writer.release();
      expect((await readdir(folder)).toSorted()).toEqual(['alias.vhdx', 'disk.vhdx']);
    }));

  it('never has two writers, however many ask at once, and leaves nobody waiting', () =>
    withDisk(async (disk, folder) => {
      let [writing, most, got] = [0, 0, 0];
      const writer = async (): Promise<void> => {
        for (let tries = 0; tries < 200; tries += 1) {
          try {
            const lock = await lockDisk(disk, 'write', 'w');
            writing += 1;
            most = Math.max(most, writing);
            await sleep(1);
            writing -= 1;
            await lock.release();
            got += 1;
            return;
          } catch (error) {
            expect(error).toEqual(inUse);
          }
        }
      };
      await Promise.all(Array.from({ length: 8 }, writer));
      expect(most).toBe(1);
      expect(got).toBe(8);
      expect(await readdir(folder)).toEqual(['disk.vhdx']);
    }));

  it("takes over what a dead process left, and heeds a living one's", () =>
    withDisk(async (disk, folder) => {
      const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
      const pid = child.pid ?? 0;
      const start = await startOf(pid);
      const place = placeDigest(await thisPlace());
      const flag = path.join(folder, flagName('disk.vhdx', { mode: 'write', pid, start, place }));
      await writeFile(flag, '');
      await expect(lockDisk(disk, 'write', 'w')).rejects.toThrow(`process ${pid} has it open`);
      child.kill('SIGKILL');
      await once(child, 'exit');
      await (await lockDisk(disk, 'write', 'w')).release();
      // The same number, but another process.
      const reused = { mode: 'write', pid: process.pid, start: '1', place } as const;
      await writeFile(path.join(folder, flagName('disk.vhdx', reused)), '');
      await (await lockDisk(disk, 'write', 'w')).release();
      expect(await readdir(folder)).toEqual(['disk.vhdx']);
    }));

  it('cannot judge processes of other machines, and can of this one before it was started anew', () =>
    withDisk(async (disk, folder) => {
      const { host } = await thisPlace();
      const name = flagName('disk.vhdx', { mode: 'write', pid: 1, start: '1', place: '00000000' });
      const flag = path.join(folder, name);
      await writeFile(flag, JSON.stringify({ purpose: 'x', host: 'elsewhere', bootId: 'b' }));
      await expect(lockDisk(disk, 'write', 'w')).rejects.toThrow(
        `process 1 (x) of elsewhere had it open; if that has ended, remove ${flag}`,
      );
      await writeFile(flag, JSON.stringify({ purpose: 'x', host, bootId: 'before' }));
      await (await lockDisk(disk, 'write', 'w')).release();
      expect(await readdir(folder)).toEqual(['disk.vhdx']);
    }));

  it.skipIf(process.getuid?.() === 0)('reads where it may not leave a lock', () =>
    withDisk(async (disk, folder) => {
      await chmod(folder, 0o500);
      try {
        await (await lockDisk(disk, 'read', 'r')).release();
        await expect(lockDisk(disk, 'write', 'w')).rejects.toThrow('EACCES');
      } finally {
        await chmod(folder, 0o700);
      }
    }),
  );
});

describe('the name of a lock', () => {
  const flag = { mode: 'read', pid: 12, start: '345', place: '0123abcd' } as const;

  it('tells who holds it, also for names as long as can be', () => {
    for (const name of ['disk.vhdx', 'x'.repeat(255), 'ü'.repeat(120), 'a.lock-write-1-1']) {
      const file = flagName(name, flag);
      expect(Buffer.byteLength(file)).toBeLessThanOrEqual(255);
      expect(parseFlagName(name, file)).toEqual(flag);
      expect(parseFlagName('other', file)).toBeUndefined();
    }
    expect(parseFlagName('disk.vhdx', '.disk.vhdx.lock-read-12')).toBeUndefined();
  });
});

// As Linux 6.1 writes them; device 0xfd:0x01.
const line = (range: string): string =>
  `1: POSIX  ADVISORY  WRITE 99 fd:01:7 0 EOF\n2: OFDLCK ADVISORY  READ -1 fd:01:4711 ${range}\n`;

describe("QEMU's locks", () => {
  const file = { dev: 0xfd01, ino: 4711 };

  it('are those of the same file on the bytes that mean writing', () => {
    expect(findQemuLock(line('101 101'), file, 'read')).toBe(true);
    expect(findQemuLock(line('100 103'), file, 'write')).toBe(true);
    expect(findQemuLock(line('201 201'), file, 'write')).toBe(true);
    expect(findQemuLock(line('203 203'), file, 'write')).toBe(true);
    expect(findQemuLock(line('201 201'), file, 'read')).toBe(false);
    expect(findQemuLock(line('100 100'), file, 'write')).toBe(false);
    expect(findQemuLock(line('101 101'), { ...file, ino: 4712 }, 'write')).toBe(false);
    expect(findQemuLock(line('101 101'), { ...file, dev: 0xfd02 }, 'write')).toBe(false);
    expect(findQemuLock('', file, 'write')).toBe(false);
  });
});
