import { spawn } from 'node:child_process';
import { rename, rm } from 'node:fs/promises';
import type { LongWork } from './backend.js';
import { BackendError } from './backend.js';
import { noSpace } from './failure.js';

/** Address space that a hostile image may make it take, bytes: cinder.conf `image_conversion_address_space_limit`. */
const MAX_ADDRESS_SPACE = 2 ** 30;
const MAX_STDERR = 4096;

export interface Conversion {
  readonly source: string;
  readonly from: 'raw' | 'qcow2';
  readonly target: string;
  readonly to: 'raw' | 'qcow2';
  /** Bytes, for the progress. */
  readonly virtualSize: number;
}

/**
 * Converts with qemu-img. Formats are always told, never guessed; both paths are absolute, so that none is read as a protocol or an option. The
 * caller has looked at the source: it names no other file.
 * @throws BackendError NO_SPACE, FAILED
 */
export async function qemuImgConvert(conversion: Conversion, work: LongWork = {}): Promise<void> {
  const { source, from, target, to, virtualSize } = conversion;
  const { code, stderr } = await run(
    ['convert', '-p', '-f', from, '-O', to, '-S', '64k', source, target],
    work.signal,
    (share) => work.onProgress?.(Math.round(virtualSize * share), virtualSize),
  );
  if (work.signal?.aborted === true)
    throw new BackendError('FAILED', 'The operation was cancelled.', { cause: work.signal.reason });
  if (code === 0) return;
  const cause = new Error(`qemu-img convert ended with ${code}: ${stderr}`);
  if (stderr.includes('No space left on device') || stderr.includes('Disk quota exceeded'))
    throw noSpace(cause);
  throw new BackendError('FAILED', 'qemu-img could not convert the image; the log says why.', { cause });
}

/** A new file at `path`, whole or not at all. */
export async function rawToQcow2(
  source: string,
  path: string,
  virtualSize: number,
  work: LongWork,
): Promise<void> {
  const part = `${path}.part`;
  try {
    await qemuImgConvert({ source, from: 'raw', target: part, to: 'qcow2', virtualSize }, work);
    await rename(part, path);
  } finally {
    await rm(part, { force: true });
  }
}

interface Ended {
  readonly code: number | string;
  readonly stderr: string;
}

function run(
  args: readonly string[],
  signal: AbortSignal | undefined,
  onShare: (share: number) => void,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return resolve({ code: 'abort', stderr: '' });
    const limits = [`--as=${MAX_ADDRESS_SPACE}`, '--core=0'];
    const child = spawn('prlimit', [...limits, 'qemu-img', ...args], {
      env: { PATH: process.env.PATH ?? '', LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const kill = (): void => void child.kill('SIGKILL');
    signal?.addEventListener('abort', kill, { once: true });
    let stderr = '';
    child.stdout.setEncoding('latin1').on('data', (text: string) => {
      const percent = /\((\d+\.\d+)\/100%\)[^(]*$/.exec(text)?.[1];
      if (percent !== undefined) onShare(Number(percent) / 100);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-MAX_STDERR);
    });
    child.on('error', (error) => {
      signal?.removeEventListener('abort', kill);
      reject(new BackendError('FAILED', 'qemu-img is needed for this and does not start.', { cause: error }));
    });
    child.on('close', (code, name) => {
      signal?.removeEventListener('abort', kill);
      resolve({ code: code ?? name ?? 'no code', stderr });
    });
    return undefined;
  });
}
