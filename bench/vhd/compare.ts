import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;

/** Sizes of what is measured: `full` for numbers, `quick` to see in seconds that all of it runs. */
export interface Scale {
  readonly rounds: number;
  /** Bytes of a disk that is read or written all over. */
  readonly diskSize: number;
  /** Requests of 4 KiB at random places. */
  readonly randomRequests: number;
  /** Bytes of a sparse disk, of which a twentieth is data. */
  readonly sparseSize: number;
}

export const FULL: Scale = { rounds: 3, diskSize: 256 * MIB, randomRequests: 16_384, sparseSize: 4 * GIB };
export const QUICK: Scale = { rounds: 1, diskSize: 16 * MIB, randomRequests: 256, sparseSize: 160 * MIB };

/** One thing that both sides do, one after the other. */
export interface Line {
  readonly group: string;
  readonly name: string;
  /** What the other side is. */
  readonly against: string;
  /** Bytes moved; left out where only the time counts. */
  readonly bytes?: number;
  /** Does it once and tells the seconds that count. */
  readonly ours: () => Promise<number>;
  readonly theirs: () => Promise<number>;
}

export interface Result {
  readonly line: Line;
  /** Seconds, the best of all rounds. */
  readonly ours: number;
  readonly theirs: number;
}

/** The sides take turns, so that a busy machine is unfair to neither; the best round of each counts. */
export async function measure(line: Line, rounds: number): Promise<Result> {
  let [ours, theirs] = [Infinity, Infinity];
  for (let round = 0; round < rounds; round += 1) {
    // Whoever comes second finds the caches as the first left them: the order changes too.
    const first = round % 2 === 0;
    if (first) ours = Math.min(ours, await line.ours());
    theirs = Math.min(theirs, await line.theirs());
    if (!first) ours = Math.min(ours, await line.ours());
  }
  return { line, ours, theirs };
}

export async function seconds(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}

/** {@link seconds} of making a file that is not there yet, and is removed again. */
export async function secondsToMake(target: string, run: () => Promise<unknown>): Promise<number> {
  await rm(target, { force: true });
  try {
    return await seconds(run);
  } finally {
    await rm(target, { force: true });
  }
}

export function tool(name: string, ...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(name, args, { timeout: 300_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${name} ${args.join(' ')}: ${error.message}\n${stderr}`));
    });
  });
}

const COLUMNS = ['', 'ours', 'theirs', 'ratio', 'against'] as const;

function row(cells: readonly string[]): string {
  const [name = '', ours = '', theirs = '', ratio = '', against = ''] = cells;
  return `${name.padEnd(52)} ${ours.padStart(12)} ${theirs.padStart(12)} ${ratio.padStart(6)}  ${against}`;
}

export function printHead(): void {
  console.log(row(COLUMNS));
}

export function printResult(result: Result): void {
  const { line } = result;
  console.log(row([`${line.group}: ${line.name}`, ...cellsOf(result), line.against]));
}

/** Both speeds and their ratio. */
function cellsOf({ line, ours, theirs }: Result): [string, string, string] {
  const show = (time: number): string =>
    line.bytes === undefined
      ? `${(time * 1000).toFixed(1)} ms`
      : `${(line.bytes / MIB / time).toFixed(0)} MiB/s`;
  return [show(ours), show(theirs), (theirs / ours).toFixed(2)];
}

/** The table that docs/vhd-speed.md shows. */
export function printSummary(results: readonly Result[]): void {
  console.log('\n| What | Ours | Theirs | Ratio | Against |\n| --- | ---: | ---: | ---: | --- |');
  for (const result of results) {
    const { line } = result;
    console.log(`| ${line.group}: ${line.name} | ${cellsOf(result).join(' | ')} | ${line.against} |`);
  }
  const slower = results.filter(({ ours, theirs }) => theirs < ours);
  console.log(
    `\nRatio above 1: ours is faster. ${results.length - slower.length} of ${results.length} lines are.`,
  );
}
