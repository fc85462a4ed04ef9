import { spawn } from 'node:child_process';
import { open, readFile, readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorCode } from '../../system-error.js';
import { parseProcessStat, type ProcessStat } from '../../process-stat.js';

/** What tells a process from a later one with the same number: proc(5), field 22 of stat, and which boot. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after the boot. */
  readonly startTicks: number;
  readonly bootId: string;
}

const POLL_MS = 100;
const TERMINATE_MS = 3_000;
const KILL_MS = 10_000;

async function statOf(pid: number): Promise<ProcessStat | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined);
  return text === undefined ? undefined : parseProcessStat(text);
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'latin1')).trim();
}

/** undefined when there is no such process any more. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const stat = await statOf(pid);
  return stat?.isAlive === true ? { pid, startTicks: stat.startTicks, bootId: await bootId() } : undefined;
}

export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  const stat = await statOf(identity.pid);
  return (
    stat?.isAlive === true && stat.startTicks === identity.startTicks && identity.bootId === (await bootId())
  );
}

/** Milliseconds on a processor; 0 when there is no such process any more. */
export async function processorTime(identity: ProcessIdentity): Promise<number> {
  const stat = await statOf(identity.pid);
  return stat?.startTicks === identity.startTicks ? stat.processorMs : 0;
}

/** Settles when the process is gone; false when it is still there after the deadline. */
export async function waitForExit(identity: ProcessIdentity, deadlineMs: number): Promise<boolean> {
  const until = Date.now() + deadlineMs;
  while (await isAlive(identity)) {
    if (Date.now() >= until) return false;
    await sleep(POLL_MS);
  }
  return true;
}

/** Asks the process to end, then makes it. Throws when even that does not help within seconds. */
export async function endProcess(identity: ProcessIdentity, patienceMs = TERMINATE_MS): Promise<void> {
  for (const [signal, deadline] of [
    ['SIGTERM', patienceMs],
    ['SIGKILL', KILL_MS],
  ] as const) {
    if (!(await isAlive(identity))) return;
    sendSignal(identity.pid, signal);
    if (await waitForExit(identity, deadline)) return;
  }
  throw new Error(`Process ${identity.pid} does not end; the machine's disk or memory may be stuck.`);
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

/**
 * Starts a process that outlives this one: in a session of its own, output to a file.
 * @throws Error when it cannot be started or is gone at once
 */
export async function spawnDetached(
  command: string,
  args: readonly string[],
  outputFile: string,
): Promise<ProcessIdentity> {
  const output = await open(outputFile, 'w', 0o600);
  try {
    const child = spawn(command, args, { detached: true, stdio: ['ignore', output.fd, output.fd] });
    const pid = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('spawn', () => resolve(child.pid ?? 0));
    });
    child.unref();
    const identity = await identify(pid);
    if (identity === undefined) throw new Error('It ended at once.');
    return identity;
  } finally {
    await output.close();
  }
}

/** This user's processes one of whose arguments contains `marker`: those whose number nobody wrote down in time. */
export async function findProcesses(marker: string): Promise<readonly ProcessIdentity[]> {
  const found: ProcessIdentity[] = [];
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const argv = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    // The first argument is the program: a shell or an editor that merely names the folder is left alone.
    const [program = '', ...rest] = argv.split('\0');
    if (!/qemu|nice|swtpm/.test(program) || !rest.some((argument) => argument.includes(marker))) continue;
    const identity = await identify(pid);
    if (identity !== undefined) found.push(identity);
  }
  return found;
}
