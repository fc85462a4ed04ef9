import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../engine.js';
import type { MachinePaths } from './argv.js';
import { tpmSocket } from './argv.js';
import { endProcess, isAlive, spawnDetached, waitForExit } from './process.js';
import type { ProcessIdentity } from './process.js';

const READY_MS = 20_000;
const POLL_MS = 20;
const TERMINATE_MS = 2_000;
const OUTPUT_FILE = 'swtpm.log';

/**
 * Starts the machine's TPM 2.0, whose state is in a folder of the machine's own and outlives its runs. It ends by itself when QEMU has
 * closed its connection.
 * @throws EngineError UNSUPPORTED when swtpm is not installed, FAILED when it does not come up
 */
export async function startTpm(program: string | undefined, paths: MachinePaths): Promise<ProcessIdentity> {
  if (program === undefined)
    throw new EngineError(
      'UNSUPPORTED',
      'No TPM emulator is installed; on Debian: apt-get install --no-install-recommends swtpm.',
    );
  const folder = path.join(paths.machineFolder, 'tpm');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const socket = tpmSocket(paths);
  const args = ['socket', '--tpm2', '--tpmstate', `dir=${folder},mode=0600`];
  args.push('--ctrl', `type=unixio,path=${socket},mode=0600`, '--flags', 'startup-clear', '--terminate');
  const tpm = await spawnDetached(program, args, path.join(paths.machineFolder, OUTPUT_FILE));
  const until = Date.now() + READY_MS;
  while ((await stat(socket).catch(() => undefined)) === undefined) {
    if (Date.now() > until || !(await isAlive(tpm))) {
      await endProcess(tpm, 0);
      throw new EngineError('FAILED', `The TPM emulator did not start; see ${OUTPUT_FILE} of the machine.`);
    }
    await sleep(POLL_MS);
  }
  return tpm;
}

/** Waits for it to end after QEMU has; ends it when it does not. */
export async function endTpm(tpm: ProcessIdentity): Promise<void> {
  if (!(await waitForExit(tpm, TERMINATE_MS))) await endProcess(tpm);
}
