import { MIB } from '../bytes/integers.js';
import type { RandomAccessFile } from './random-access-file.js';

/** Zeros are written and looked for with one shared array, in pieces of its size. Not to be changed. */
export const ZEROS = Buffer.alloc(MIB);

export async function writeZeros(file: RandomAccessFile, offset: number, length: number): Promise<void> {
  for (let done = 0; done < length; done += ZEROS.length) {
    await file.write(ZEROS.subarray(0, Math.min(ZEROS.length, length - done)), offset + done);
  }
}

/** For buffers of at most 1 MiB. */
export function isZero(bytes: Buffer): boolean {
  return bytes.equals(ZEROS.subarray(0, bytes.length));
}

/** Writes zeros only where there is something else, so that holes of the file stay. */
export async function zeroWhereNeeded(file: RandomAccessFile, offset: number, length: number): Promise<void> {
  const piece = Buffer.allocUnsafe(Math.min(length, ZEROS.length));
  for (let done = 0; done < length; done += piece.length) {
    const part = piece.subarray(0, Math.min(piece.length, length - done));
    const got = await file.read(part, offset + done);
    if (!isZero(part.subarray(0, got))) await writeZeros(file, offset + done, part.length);
  }
}
