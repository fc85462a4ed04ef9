import { checkDisk } from './check/check-disk.js';
import type { CheckFinding } from './check/report.js';
import type { VhdErrorCode } from './errors.js';
import { VhdError } from './errors.js';
import { corrupt } from './io/random-access-file.js';

const ERROR_CODES: Partial<Record<CheckFinding['code'], VhdErrorCode>> = {
  'unknown-format': 'VHD_UNKNOWN_FORMAT',
  unsupported: 'VHD_UNSUPPORTED',
  'log-not-empty': 'VHD_LOG_NEEDS_REPLAY',
};

/**
 * Checks that everything that a VHD or VHDX says it holds lies inside the file, once each: a file that was cut short
 * is found without reading its data. Parents are not looked at. {@link checkDisk} tells all that is wrong.
 * @throws VhdError `VHD_CORRUPT` (with the place), `VHD_LOG_NEEDS_REPLAY`, `VHD_UNSUPPORTED`, `VHD_UNKNOWN_FORMAT`
 */
export async function checkWhole(path: string, options: { signal?: AbortSignal } = {}): Promise<void> {
  const { findings } = await checkDisk(path, options);
  const first =
    findings.find(({ severity }) => severity === 'error') ??
    findings.find(({ code }) => code === 'log-not-empty');
  if (first === undefined) return;
  const { code, offset, block, message } = first;
  const why = block === undefined ? message : `block ${block}: ${message}`;
  const errorCode = ERROR_CODES[code];
  if (errorCode === undefined) throw corrupt(path, offset ?? 0, why);
  throw new VhdError(errorCode, `${path}: ${why}.`, {
    path,
    ...(offset === undefined ? {} : { offset }),
    reason: why,
  });
}
