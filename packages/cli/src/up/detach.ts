import { spawn } from 'node:child_process';
import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { CliError, EXIT } from '../errors.js';
import { readRunning, type StateFolder } from './state-folder.js';
import { isSameProcess, processIdentity } from './process-identity.js';

const READY_WITHIN_MS = 120_000;
const STOPPED_WITHIN_MS = 120_000;

/** Starts this very command again without a terminal; settles with its URL once it is ready. */
export async function startDetached(state: StateFolder, argv: readonly string[]): Promise<string> {
  const already = await readRunning(state);
  if (already !== undefined) {
    throw new CliError(
      `process ${already.pid} already runs this state folder${already.url === undefined ? '' : ` at ${already.url}`}`,
      EXIT.unavailable,
    );
  }
  await mkdir(dirname(state.log), { recursive: true, mode: 0o700 });
  const output = `${state.log}.out`;
  const log = await open(output, 'w', 0o600);
  const child = spawn(process.execPath, [...process.execArgv, ...argv], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  });
  await log.close();
  const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const deadline = Date.now() + READY_WITHIN_MS;
  while (Date.now() < deadline) {
    const ended = await Promise.race([exit.then(() => true), setTimeout(100, false)]);
    if (ended)
      throw new CliError((await readFile(output, 'utf8')).trim() || `the process ended; see ${state.log}`);
    const running = await readRunning(state);
    if (running?.pid === child.pid && running?.url !== undefined) {
      child.unref();
      return running.url;
    }
  }
  child.kill('SIGTERM');
  throw new CliError(`not ready after ${READY_WITHIN_MS / 1000} s; see ${state.log}`);
}

/** Stops what runs the folder. Settles with false when nothing does. */
export async function stopRunning(state: StateFolder): Promise<boolean> {
  const running = await readRunning(state);
  if (running === undefined) return false;
  const identity = await processIdentity(running.pid);
  process.kill(running.pid, 'SIGTERM');
  const deadline = Date.now() + STOPPED_WITHIN_MS;
  while (await isSameProcess(identity)) {
    if (Date.now() > deadline) {
      throw new CliError(
        `process ${running.pid} did not stop within ${STOPPED_WITHIN_MS / 1000} s; see ${state.log}, or end it with: kill -9 ${running.pid}`,
        EXIT.unavailable,
      );
    }
    await setTimeout(50);
  }
  return true;
}
