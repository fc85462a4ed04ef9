import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { MIB } from '../bytes/integers.js';

/** Below this many bytes that take no space, reading them costs less than asking where they are. */
const WORTH_ASKING = 64 * MIB;
/** A file in more pieces than this is read as if it had no holes; the list stays short. */
const MAX_RANGES = 200_000;
const DEADLINE_MS = 30_000;

/**
 * Node has no `lseek`, so the question goes to perl (which Debian, for one, always has): SEEK_DATA is 3, SEEK_HOLE 4.
 * The file is its standard input; it opens nothing.
 */
const ASK = `
my ($at, $count) = (0, 0);
while (defined(my $data = sysseek(STDIN, $at, 3))) {
  my $hole = sysseek(STDIN, $data, 4);
  exit 1 if !defined $hole || ++$count > ${MAX_RANGES};
  printf "%d %d\\n", $data, $hole;
  $at = $hole;
}
exit($!{ENXIO} ? 0 : 1);
`;

/** A part of a file that may hold something else than zeros. Bytes, `end` is the first behind it. */
export interface DataRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Where a file has data, in order; everything else reads as zeros. Undefined when it has no holes worth knowing or they
 * cannot be told: then all of it is to be read. Holds as long as nobody writes to the file.
 */
export async function dataRanges(fd: number): Promise<readonly DataRange[] | undefined> {
  const { size, blocks } = await new Promise<fs.Stats>((resolve, reject) => {
    fs.fstat(fd, (error, stats) => (error === null ? resolve(stats) : reject(error)));
  });
  if (size - blocks * 512 < WORTH_ASKING) return undefined;
  const answer = await ask(fd);
  return answer === undefined ? undefined : parse(answer, size);
}

function ask(fd: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn('perl', ['-e', ASK], { stdio: [fd, 'pipe', 'ignore'] });
    // spawn's own time limit runs on, and keeps the process, when there is no perl.
    const deadline = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS);
    const finish = (told: string | undefined): void => {
      clearTimeout(deadline);
      resolve(told);
    };
    let answer = '';
    child.stdout?.setEncoding('latin1').on('data', (text: string) => {
      answer += text;
    });
    child.on('error', () => finish(undefined));
    child.on('close', (code) => finish(code === 0 ? answer : undefined));
  });
}

/** Anything but rising ranges inside the file is no answer. */
function parse(answer: string, size: number): readonly DataRange[] | undefined {
  const ranges: DataRange[] = [];
  let last = 0;
  for (const line of answer.split('\n')) {
    if (line === '') continue;
    const [start = NaN, end = NaN] = line.split(' ').map(Number);
    if (!(start >= last && end > start && end <= size)) return undefined;
    ranges.push({ start, end });
    last = end;
  }
  return ranges;
}

/** The parts of a range of a file that are data and those that are not, in order. */
export function* splitByData(
  ranges: readonly DataRange[],
  offset: number,
  length: number,
): Generator<DataRange & { readonly isData: boolean }> {
  const end = offset + length;
  let at = offset;
  for (let index = firstEndingBehind(ranges, offset); at < end; index += 1) {
    const range = ranges[index];
    const start = Math.min(end, range?.start ?? end);
    if (start > at) yield { start: at, end: start, isData: false };
    at = Math.max(at, start);
    const stop = Math.min(end, range?.end ?? end);
    if (stop > at) yield { start: at, end: stop, isData: true };
    at = Math.max(at, stop);
  }
}

function firstEndingBehind(ranges: readonly DataRange[], offset: number): number {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ranges[middle]?.end ?? Infinity) > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}
