/** What tells whether a process lives, and whether it is still the same one. */
export interface ProcessStat {
  /** Clock ticks from the boot to its start: two processes with one number differ in it. */
  readonly startTicks: number;
  /** False for one that has ended and that nobody has waited for yet. */
  readonly isAlive: boolean;
  /** Time on a processor, of all its threads, its own and the kernel's for it. */
  readonly processorMs: number;
}

/** USER_HZ: Linux shows times of processes in hundredths of a second on every architecture that has QEMU's x86 machines. */
const MS_PER_TICK = 10;

/** Reads the text of /proc/PID/stat. Source: proc(5), fields 3, 14, 15 and 22. */
export function parseProcessStat(text: string): ProcessStat {
  // The command's name is in brackets and may hold anything, brackets too.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, startTicks] = [fields[0], Number(fields[19])];
  const processorMs = (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
  return { startTicks, processorMs, isAlive: state !== 'Z' && state !== 'X' };
}
