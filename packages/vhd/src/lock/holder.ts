import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';

/** Where a process id means something: one boot of one machine, one namespace of processes. */
export interface Place {
  readonly host: string;
  /** '' where the system has none (anything but Linux). */
  readonly bootId: string;
  readonly pidNamespace: string;
}

async function orEmpty(text: Promise<string>): Promise<string> {
  try {
    return (await text).trim();
  } catch {
    return '';
  }
}

/** Source: random(4) for boot_id, pid_namespaces(7). */
export async function thisPlace(): Promise<Place> {
  return {
    host: hostname(),
    bootId: await orEmpty(readFile('/proc/sys/kernel/random/boot_id', 'utf8')),
    pidNamespace: await orEmpty(readlink('/proc/self/ns/pid')),
  };
}

/** When a process was started, in clock ticks since boot; `0` where the system does not tell. */
export async function startOf(pid: number): Promise<string> {
  return (await readStat(pid))?.start ?? '0';
}

/** Whether the process of this place that was started then still lives. In doubt it does. */
export async function isAlive(pid: number, start: string): Promise<boolean> {
  const stat = await readStat(pid);
  if (stat !== undefined) return stat.start === start && stat.state !== 'Z' && stat.state !== 'X';
  // No /proc, or it hides other users' processes.
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

/** Source: proc(5), fields 3 and 22 of /proc/PID/stat. */
async function readStat(pid: number): Promise<{ state: string; start: string } | undefined> {
  const text = await orEmpty(readFile(`/proc/${pid}/stat`, 'latin1'));
  // The command's name is in brackets and may hold anything, brackets too.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, start] = [fields[0], fields[19]];
  return state === undefined || start === undefined ? undefined : { state, start };
}
