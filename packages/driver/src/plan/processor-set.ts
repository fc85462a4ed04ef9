import { DriverError } from '../errors.js';

/** Far above any machine's processors, so that `0-999999999` costs nothing. */
const MOST_PROCESSORS = 4096;

/**
 * Nova's notation of processors (nova/virt/hardware.py, parse_cpu_spec): numbers and ranges between commas, those after a caret left
 * out: `0-3,^2,6`. Ascending.
 */
export function parseProcessorSet(text: string, key: string): readonly number[] {
  const wanted = new Set<number>();
  const rejected = new Set<number>();
  for (const part of text.split(',').map((piece) => piece.trim())) {
    if (part === '') continue;
    const match = /^(\^?)\s*(\d{1,9})\s*(?:-\s*(\d{1,9}))?$/.exec(part);
    const [, caret, first, last = first] = match ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (match === null || from > to || to >= MOST_PROCESSORS) {
      throw new DriverError(
        'Invalid',
        `${key}=${text}: ${JSON.stringify(part)} is no processor, range or exclusion. Write it as in 0-3,^2,6.`,
      );
    }
    for (let number = from; number <= to; number += 1) (caret === '^' ? rejected : wanted).add(number);
  }
  return [...wanted].filter((number) => !rejected.has(number)).toSorted((a, b) => a - b);
}
