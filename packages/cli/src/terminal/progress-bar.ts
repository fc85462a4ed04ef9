import { formatBytes } from './byte-count.js';

/** What of a terminal is needed; standard error as a rule. */
export interface TerminalStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface Progress {
  /** Bytes. */
  readonly done: number;
  readonly total: number;
}

const DRAW_EVERY_MS = 100;
/** The rate is that of the last few seconds. */
const WINDOW_MS = 5000;
const DEFAULT_COLUMNS = 80;
const MIN_BAR = 8;
const MAX_BAR = 60;

/** `1:02:03`, `4:05`; nothing sensible to say is `--:--`. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds > 359_999) return '--:--';
  const whole = Math.ceil(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = String(whole % 60).padStart(2, '0');
  return hours === 0 ? `${minutes}:${rest}` : `${hours}:${String(minutes).padStart(2, '0')}:${rest}`;
}

/** One line of fewer than `columns` characters: a terminal that a line fills exactly may begin a new one. */
export function formatBar(label: string, { done, total }: Progress, rate: number, columns: number): string {
  const share = total > 0 ? Math.min(1, done / total) : 1;
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  const speed = rate > 0 ? `${formatBytes(rate)}/s` : '';
  const left = rate > 0 ? formatDuration((total - done) / rate) : '--:--';
  const tail = ` ${percent}  ${formatBytes(total)}  ${speed.padStart(10)}  ${left.padStart(7)}`;
  const room = Math.min(MAX_BAR, columns - 1 - label.length - tail.length - 3);
  if (room < MIN_BAR) return `${label}${percent.padStart(5)}`.slice(0, Math.max(0, columns - 1));
  const filled = Math.floor(share * room);
  const bar = '='.repeat(filled) + (filled < room ? '>' : '');
  return `${label} [${bar.padEnd(room)}]${tail}`;
}

/** A line on a terminal that is drawn over itself, and gone at the end. Nothing anywhere else. */
export class ProgressBar {
  readonly #stream: TerminalStream;
  readonly #label: string;
  readonly #now: () => number;
  #samples: { readonly at: number; readonly done: number }[] = [];
  #drawnAt = Number.NEGATIVE_INFINITY;

  constructor(stream: TerminalStream, label: string, now: () => number = () => performance.now()) {
    this.#stream = stream;
    this.#label = label;
    this.#now = now;
  }

  update(progress: Progress): void {
    const at = this.#now();
    if (this.#stream.isTTY !== true || at - this.#drawnAt < DRAW_EVERY_MS) return;
    this.#drawnAt = at;
    const first = this.#samples.find((sample) => at - sample.at <= WINDOW_MS);
    this.#samples = this.#samples.filter((sample) => at - sample.at <= WINDOW_MS);
    this.#samples.push({ at, done: progress.done });
    const rate = first === undefined ? 0 : ((progress.done - first.done) / (at - first.at)) * 1000;
    const line = formatBar(this.#label, progress, rate, this.#stream.columns ?? DEFAULT_COLUMNS);
    this.#stream.write(`\r${line}\u001B[K`);
  }

  /** Removes the line. */
  end(): void {
    if (Number.isFinite(this.#drawnAt)) this.#stream.write('\r\u001B[K');
    this.#drawnAt = Number.NEGATIVE_INFINITY;
  }
}
