import { HyperVError } from './errors.js';

/** Source: "Naming Files, Paths, and Namespaces" (Windows App Development). */
const RESERVED_NAME = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?$/i;
const FORBIDDEN_CHARACTER = /[\p{Cc}<>:"|?*/\\]/u;
const MAXIMUM_PATH = 32_000;

/** A path in parts, checked. */
export interface HostPath {
  /** Upper case. */
  readonly drive: string;
  readonly parts: readonly string[];
}

/**
 * Reads an absolute path of a Windows host (`C:\OpenStack\Instances`). Refuses everything that names something else than it seems to:
 * relative parts, device names, streams, wildcard characters, names that Windows would trim.
 * @throws HyperVError `HYPERV_PATH`
 */
export function parseHostPath(path: string): HostPath {
  const match = /^([A-Za-z]):[\\/]/.exec(path);
  if (match?.[1] === undefined || path.length > MAXIMUM_PATH) {
    throw new HyperVError(
      'HYPERV_PATH',
      `${JSON.stringify(path)} is not an absolute path with a drive letter, such as C:\\OpenStack\\Instances.`,
    );
  }
  const parts = path
    .slice(3)
    .split(/[\\/]/)
    .filter((part) => part !== '');
  for (const part of parts) checkFileName(part, path);
  return { drive: match[1].toUpperCase(), parts };
}

/**
 * Checks one part of a host's path; `path` is what the message is about.
 * @throws HyperVError `HYPERV_PATH`
 */
export function checkFileName(name: string, path = name): void {
  const problem =
    name === '.' || name === '..'
      ? 'relative parts are not allowed'
      : FORBIDDEN_CHARACTER.test(name)
        ? 'it holds a character that Windows does not allow in names'
        : /[. ]$/.test(name)
          ? 'Windows drops a trailing dot or blank'
          : RESERVED_NAME.test(name)
            ? 'Windows reserves that name for a device'
            : name.length > 255
              ? 'it is longer than 255 characters'
              : undefined;
  if (problem !== undefined) {
    throw new HyperVError(
      'HYPERV_PATH',
      `${JSON.stringify(name)} in the path ${JSON.stringify(path)} cannot be used: ${problem}.`,
    );
  }
}

/** Joins names to a host's folder; each name is checked. */
export function joinHostPath(directory: string, ...names: readonly string[]): string {
  for (const name of names) checkFileName(name, [directory, ...names].join('\\'));
  return [directory.replace(/[\\/]+$/, ''), ...names].join('\\');
}

/** The last part. */
export function hostBaseName(path: string): string {
  return path.split(/[\\/]/).findLast((part) => part !== '') ?? '';
}

/** Equality as Windows sees it: case and the kind of slash do not count. */
export function sameHostPath(a: string, b: string): boolean {
  return normalised(a) === normalised(b);
}

/** Whether `path` is `directory` or lies under it. */
export function isInHostFolder(path: string, directory: string): boolean {
  return sameHostPath(path, directory) || normalised(path).startsWith(`${normalised(directory)}\\`);
}

function normalised(path: string): string {
  return path
    .replaceAll(/[\\/]+/g, '\\')
    .replace(/\\$/, '')
    .toLowerCase();
}
