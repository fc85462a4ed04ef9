import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { fencedBlocks } from '../support/markdown.js';
import { ROOT, run } from '../support/run.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nova-hyperv-vhd-docs-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('the commands of docs/vhd.md do what it says, one after the other', { timeout: 240_000 }, async () => {
  const blocks = await fencedBlocks(join(ROOT, 'docs/vhd.md'), 'sh');
  expect(blocks.length).toBeGreaterThan(7);
  const bin = join(folder, 'bin');
  await mkdir(bin);
  const command = join(ROOT, 'packages/cli/bin/nova-hyperv.js');
  await writeFile(join(bin, 'nova-hyperv'), `#!/bin/sh\nexec '${process.execPath}' '${command}' "$@"\n`);
  await chmod(join(bin, 'nova-hyperv'), 0o755);
  const work = join(folder, 'work');
  await mkdir(work);
  const ran = await run('bash', ['-exc', blocks.join('\n')], {
    cwd: work,
    timeoutMs: 240_000,
    env: { PATH: `${bin}:${process.env['PATH'] ?? ''}` },
  });
  expect(ran.code, ran.stderr).toBe(0);
  expect(ran.stdout).toMatch(/virtual size +10737418240 bytes \(10.0 GiB\)/);
  expect(ran.stdout).toMatch(/"whole": true/);
  const left = await readdir(work);
  expect(left.filter((name) => name.startsWith('.') || /\.(?:sock|pid|control)$/.test(name))).toEqual([]);
  expect(left).toContain('merged.vhdx');
  expect(left).not.toContain('layer.vhdx');
});

it('the samples of packages/vhd/README.md are programs that type-check and run', async () => {
  const samples = await fencedBlocks(join(ROOT, 'packages/vhd/README.md'), 'ts');
  expect(samples.length).toBeGreaterThan(4);
  for (const [index, sample] of samples.entries())
    await writeFile(join(folder, `sample-${index}.ts`), sample);
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  const options = { extends: join(ROOT, 'tests/tsconfig.json'), include: ['*.ts'] };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(options));
  const checked = await run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', folder], { cwd: folder });
  expect(checked.stdout).toBe('');
  for (const index of samples.keys()) {
    const ran = await run(join(ROOT, 'node_modules/.bin/tsx'), [`sample-${index}.ts`], { cwd: folder });
    expect(ran.code, `sample ${index}: ${ran.stderr}`).toBe(0);
  }
});
