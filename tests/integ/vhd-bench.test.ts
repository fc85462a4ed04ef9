import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

it('the benchmark of disks runs to its end in small, whatever its numbers, and leaves nothing', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'nova-hyperv-vhd-bench-'));
  try {
    const output = await new Promise<string>((resolve, reject) => {
      const args = ['run', '--silent', 'bench:vhd', '--', '--quick', '--folder', folder];
      execFile('npm', args, { cwd: ROOT, timeout: 110_000 }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${error.message}\n${stdout}${stderr}`));
      });
    });
    for (const group of ['VHDX dynamic', 'VHD fixed', 'Convert, sparse', 'Create', 'NBD']) {
      expect(output).toMatch(new RegExp(`^\\| ${group}: .* \\| [0-9.]+ \\|`, 'm'));
    }
    expect(output).toMatch(/Ratio above 1: ours is faster\. \d+ of 5\d lines are\./);
    expect(await readdir(folder)).toEqual([]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
