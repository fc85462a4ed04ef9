import { readFile } from 'node:fs/promises';

/** A process id alone may have been given to another process since; together with its start time it is unique. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat, clock ticks since boot; '' where there is no /proc. Source: proc(5). */
  readonly startTime: string;
}

async function startTime(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The command name may hold blanks and parentheses: what follows its last ')' is fields 3 and on.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

export async function processIdentity(pid: number): Promise<ProcessIdentity> {
  return { pid, startTime: (await startTime(pid)) ?? '' };
}

export async function isSameProcess(identity: ProcessIdentity): Promise<boolean> {
  if (identity.startTime !== '') return (await startTime(identity.pid)) === identity.startTime;
  try {
    process.kill(identity.pid, 0);
    return true;
  } catch {
    return false;
  }
}
