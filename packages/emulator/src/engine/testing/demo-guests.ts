import { execFile } from 'node:child_process';
import { copyFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../../../../', import.meta.url));
const BUILD_DEADLINE_MS = 300_000;

/** A copy of a demo guest's disk for a test to write to; the images are built when there are none. */
export async function copyDemoGuest(name: 'gen1.vhd' | 'gen2.vhdx', target: string): Promise<void> {
  const folder = process.env['NOVA_HYPERV_GUESTS'] ?? path.join(ROOT, '.cache', 'demo-guests');
  const image = path.join(folder, name);
  if (!(await stat(image).catch(() => undefined))) {
    const cache = path.join(ROOT, '.cache', 'guests');
    await run(path.join(ROOT, 'guests', 'build-guests'), ['--out', folder, '--cache', cache], {
      timeout: BUILD_DEADLINE_MS,
    });
  }
  await copyFile(image, target);
}
