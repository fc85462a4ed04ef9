import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { EmulatorError } from './errors.js';
import { errorCode } from './system-error.js';
import { parseProcessStat } from './process-stat.js';

/**
 * Takes the state folder for this process, so that two hosts never write the same files. A lock that a dead
 * process left is taken over: the file names the process and when it was started.
 */
export function lockFolder(folder: string): () => void {
  const file = path.join(folder, 'lock');
  const mine = `${process.pid} ${startOf(process.pid) ?? ''}`;
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      const descriptor = openSync(file, 'wx', 0o600);
      writeSync(descriptor, mine);
      closeSync(descriptor);
      return () => rmSync(file, { force: true });
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
      if (isHeld(file)) break;
      rmSync(file, { force: true });
    }
  }
  throw new EmulatorError(
    'EMULATOR_STATE',
    `The folder ${folder} is in use by another emulated host. Stop it, or choose another folder.`,
  );
}

function isHeld(file: string): boolean {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return false;
  }
  const match = /^(\d+) (\d*)$/.exec(text);
  const pid = Number(match?.[1]);
  // An empty lock is one that its process did not live to fill.
  if (match === null) return false;
  return startOf(pid) === match[2];
}

/** When the process was started, in clock ticks since boot; undefined when it does not live. */
function startOf(pid: number): string | undefined {
  try {
    const { isAlive, startTicks } = parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
    return isAlive ? String(startTicks) : undefined;
  } catch {
    return undefined;
  }
}
