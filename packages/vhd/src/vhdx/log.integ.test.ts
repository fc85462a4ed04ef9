import { spawn } from 'node:child_process';
import { copyFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { MIB } from '../bytes/integers.js';
import { checkDisk } from '../check/check-disk.js';
import { openFile } from '../io/random-access-file.js';
import { openDisk, openDiskFile } from '../open.js';
import { recoverDisk } from '../recover.js';
import { MemoryFile } from '../test-support/memory-file.js';
import { Random } from '../test-support/random.js';
import { runTool } from '../test-support/run-tool.js';
import { inTempFolder } from '../test-support/temp-folder.js';
import { createVhdx } from './create.js';

const SIZE = 640 * MIB;

/** Lets QEMU write to block after block and stops it, for good, at a moment at which its log holds something. */
async function killQemuWithDirtyLog(file: string): Promise<void> {
  const script = Array.from({ length: 500 }, (_, block) => [
    '-c',
    `write -P ${1 + (block % 250)} ${block}M 4k`,
  ]);
  const qemu = spawn('qemu-io', ['-f', 'vhdx', '-t', 'none', ...script.flat(), file], { stdio: 'ignore' });
  const ended = new Promise((resolve) => {
    qemu.once('close', resolve);
  });
  try {
    while (qemu.exitCode === null) {
      qemu.kill('SIGSTOP');
      if ((await checkDisk(file)).needsReplay) return;
      qemu.kill('SIGCONT');
      await wait(Math.random() * 2);
    }
  } finally {
    qemu.kill('SIGKILL');
    await ended;
  }
}

/** Both replay the log of a copy of their own; the disks that come out are the same. */
async function expectSameReplay(file: string): Promise<void> {
  const [ours, theirs] = [`${file}.ours`, `${file}.theirs`];
  for (const copy of [ours, theirs]) await copyFile(file, copy);
  expect(await recoverDisk(ours)).toBe(true);
  await runTool('qemu-img', 'check', '-r', 'all', '-f', 'vhdx', theirs);
  for (const copy of [ours, theirs]) {
    expect(await checkDisk(copy)).toMatchObject({ whole: true, needsReplay: false, findings: [] });
    await runTool('qemu-img', 'check', '-f', 'vhdx', copy);
  }
  await runTool('qemu-img', 'compare', '-f', 'vhdx', '-F', 'vhdx', ours, theirs);
}

describe('a log that is not empty', () => {
  it('of a QEMU that was killed is replayed by us as by QEMU', () =>
    inTempFolder(async (folder) => {
      const file = path.join(folder, 'qemu.vhdx');
      await runTool('qemu-img', 'create', '-f', 'vhdx', '-o', 'block_size=1M', file, String(SIZE));
      await killQemuWithDirtyLog(file);
      expect(await checkDisk(file)).toMatchObject({ whole: true, needsReplay: true });
      await expect(openDisk(file, { readOnly: true })).rejects.toMatchObject({
        code: 'VHD_LOG_NEEDS_REPLAY',
      });
      await expectSameReplay(file);
    }));

  it('of ours is replayed by QEMU as by us', () =>
    inTempFolder(async (folder) => {
      const file = path.join(folder, 'ours.vhdx');
      await createVhdx({ path: file, type: 'dynamic', virtualSize: SIZE, blockSize: MIB });
      const memory = await MemoryFile.load(file);
      const disk = await openDiskFile(memory);
      const random = new Random(7);
      for (let count = 0; count < 40; count += 1) {
        await disk.write(random.bytes(4096), random.below(SIZE / 4096) * 4096);
        if (count === 20) await disk.flush();
      }
      // The process ends here: what it did to its file is there, closing the disk is not.
      const real = await openFile(file, 'write');
      for (const operation of memory.operations) {
        if (operation.kind === 'write') await real.write(operation.bytes, operation.offset);
        if (operation.kind === 'truncate') await real.truncate(operation.size);
      }
      await real.close();
      await disk.close();
      await expectSameReplay(file);
    }));
});
