import { MIB } from './bytes/integers.js';
import { VhdError } from './errors.js';
import { isZero } from './io/zeros.js';

/** Bytes moved at once by one worker, and how many work at the same time: 4 MiB of memory, whatever is copied. */
export const PIECE_SIZE = MIB;
const WORKERS = 4;
/** Zeros are looked for in units of this size. */
const ZERO_UNIT = 64 * 1024;

export interface TransferOptions {
  /** Stops the work with `VHD_ABORTED`; a new file is removed, a file that is changed in place stays valid. */
  readonly signal?: AbortSignal;
  /** Told now and then, in rising order, and at the end. */
  readonly onProgress?: (progress: TransferProgress) => void;
}

export interface TransferProgress {
  /** Bytes of the source that are dealt with, of all. */
  readonly done: number;
  readonly total: number;
}

/** A range of at most {@link PIECE_SIZE} bytes. */
export interface Piece {
  readonly offset: number;
  readonly length: number;
}

/** For `checkAborted`, of a file that is made shorter in place. */
export const COMPACTED_SO_FAR = 'what was compacted so far stays';

/** @param kept what became of the work. */
export function checkAborted(signal: AbortSignal | undefined, kept = 'nothing of it was kept'): void {
  if (signal?.aborted === true) {
    throw new VhdError('VHD_ABORTED', `The operation was cancelled; ${kept}.`, { cause: signal.reason });
  }
}

/** Cuts a range into pieces that begin at multiples of {@link PIECE_SIZE}. */
export function* piecesOf(offset: number, length: number): Generator<Piece> {
  const end = offset + length;
  for (let at = offset; at < end;) {
    const next = Math.min(end, (Math.floor(at / PIECE_SIZE) + 1) * PIECE_SIZE);
    yield { offset: at, length: next - at };
    at = next;
  }
}

/**
 * Gives the pieces to a few workers, each with a buffer of its own. The first failure ends all.
 * @param work gets the piece and a buffer of the piece's length.
 */
export async function transfer<P extends Piece>(
  pieces: AsyncIterable<P> | Iterable<P>,
  total: number,
  options: TransferOptions & { readonly kept?: string },
  work: (piece: P, buffer: Buffer) => Promise<void>,
): Promise<void> {
  const source = toAsync(pieces);
  let done = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    const buffer = Buffer.allocUnsafe(PIECE_SIZE);
    for (;;) {
      if (failed) return;
      checkAborted(options.signal, options.kept);
      const next = await source.next();
      if (next.done === true) return;
      await work(next.value, buffer.subarray(0, next.value.length));
      done = Math.max(done, next.value.offset);
      options.onProgress?.({ done, total });
    }
  };
  const guarded = async (): Promise<void> => {
    try {
      await worker();
    } catch (error) {
      failed = true;
      throw error;
    }
  };
  const results = await Promise.allSettled(Array.from({ length: WORKERS }, guarded));
  const failure = results.find((result) => result.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
  options.onProgress?.({ done: total, total });
}

async function* toAsync<P>(pieces: AsyncIterable<P> | Iterable<P>): AsyncGenerator<P> {
  yield* pieces;
}

/** The parts of a buffer that are not zeros, in units of 64 KiB, neighbours joined. */
export function* nonZeroParts(buffer: Buffer): Generator<Piece> {
  if (isZero(buffer)) return;
  let start: number | undefined;
  for (let at = 0; at < buffer.length; at += ZERO_UNIT) {
    const unit = buffer.subarray(at, at + ZERO_UNIT);
    const isEmpty = isZero(unit);
    if (isEmpty && start !== undefined) {
      yield { offset: start, length: at - start };
      start = undefined;
    } else if (!isEmpty) start ??= at;
  }
  if (start !== undefined) yield { offset: start, length: buffer.length - start };
}
