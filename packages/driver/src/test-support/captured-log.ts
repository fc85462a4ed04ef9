import { pino } from 'pino';
import type { Level, Logger } from 'pino';

/** One line of a log; numbers of levels are pino's: 20 debug, 30 info, 40 warn. */
export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly instance?: string;
}

/** A log that is kept, for tests of what an operator is told. */
export function capturedLog(level: Level = 'info'): {
  readonly log: Logger;
  readonly lines: readonly LogLine[];
} {
  const lines: LogLine[] = [];
  const write = (text: string): void => {
    const line: LogLine = JSON.parse(text);
    lines.push(line);
  };
  return { log: pino({ level }, { write }), lines };
}
