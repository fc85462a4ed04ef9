/** What tells whether a process lives, and whether it is still the same one. */
export interface ProcessStat {
  /** Clock ticks from the boot to its start: two processes with one number differ in it. */
  readonly startTicks: number;
  /** False for one that has ended and that nobody has waited for yet. */
  readonly isAlive: boolean;
}

/** Reads the text of /proc/PID/stat. Source: proc(5), fields 3 and 22. */
export function parseProcessStat(text: string): ProcessStat {
  // The command's name is in brackets and may hold anything, brackets too.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, startTicks] = [fields[0], Number(fields[19])];
  return { startTicks, isAlive: state !== 'Z' && state !== 'X' };
}
