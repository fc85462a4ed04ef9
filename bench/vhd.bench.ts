/**
 * Speed of `packages/vhd` side by side with qemu-img, qemu-img bench and qemu-nbd, on files in one folder, page cache
 * warm. Prints the ratio of each line and a summary; what is compared with what stands in docs/vhd-speed.md.
 *
 *   npm run bench:vhd -- [--quick] [--only TEXT] [--folder FOLDER] [access|convert|create|nbd]...
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { accessLines } from './vhd/access-lines.js';
import type { Line, Result } from './vhd/compare.js';
import { FULL, measure, printHead, printResult, printSummary, QUICK } from './vhd/compare.js';
import { convertLines } from './vhd/convert-lines.js';
import { createLines } from './vhd/create-lines.js';
import { nbdLines } from './vhd/nbd-lines.js';

const { values, positionals } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    folder: { type: 'string', default: tmpdir() },
  },
  allowPositionals: true,
});
const scale = values.quick ? QUICK : FULL;
const results: Result[] = [];

async function run(lines: readonly Line[]): Promise<void> {
  for (const line of lines) {
    if (!`${line.group}: ${line.name}`.includes(values.only)) continue;
    const result = await measure(line, scale.rounds);
    results.push(result);
    printResult(result);
  }
}

/** What a group makes is gone when the next begins: they are large. */
async function inFolder(name: string, work: (folder: string) => Promise<void>): Promise<void> {
  if (positionals.length > 0 && !positionals.includes(name)) return;
  const folder = await mkdtemp(path.join(values.folder, 'nova-hyperv-bench-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

printHead();
await inFolder('access', async (folder) => run(await accessLines(folder, scale)));
await inFolder('convert', async (folder) => run(await convertLines(folder, scale)));
await inFolder('create', async (folder) => run(await createLines(folder)));
await inFolder('nbd', async (folder) => {
  const { lines, stop } = await nbdLines(folder, scale);
  try {
    await run(lines);
  } finally {
    await stop();
  }
});
printSummary(results);
