import { realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import type { ResolveParent } from './disk.js';

/** No name of a file has these: separators are gone by then, a colon would be another drive or a second stream. */
const IMPOSSIBLE = /[:\p{Cc}]/u;
const DEVICE_OR_SHARE = /^[\\/]{2}/;
/** `\\?\C:\` and `\\?\Volume{GUID}\`, which name a file of a local drive. */
const LONG_LOCAL_PATH = /^\\\\\?\\(?:[a-z]:|volume\{[0-9a-f-]+\})\\/i;

/**
 * A resolver of parent locators that never leads out of the given folders, whatever a disk file says: relative paths
 * count from the child's folder; of absolute Windows paths and volume paths only the file's name is used, and
 * looked for in the child's folder (when that is inside) and in each of the folders themselves. Links are followed
 * first and checked then. Shares, devices, and what is no regular file are not resolved.
 * @param folders of this machine; those that do not exist are passed over.
 */
export function resolveWithin(folders: readonly string[]): ResolveParent {
  return (locatorPath, childPath) => {
    const roots = folders.flatMap((folder) => realPath(folder) ?? []);
    return candidates(locatorPath, path.dirname(childPath), roots)
      .map(realPath)
      .find((found) => found !== undefined && roots.some((root) => isInside(found, root)) && isFile(found));
  };
}

function candidates(locatorPath: string, childFolder: string, roots: readonly string[]): readonly string[] {
  const isLongPath = LONG_LOCAL_PATH.test(locatorPath);
  if (DEVICE_OR_SHARE.test(locatorPath) && !isLongPath) return [];
  const isAbsolute = isLongPath || path.win32.isAbsolute(locatorPath) || /^[a-z]:/i.test(locatorPath);
  if (isAbsolute) {
    const name = path.win32.basename(locatorPath);
    if (!isName(name)) return [];
    return [childFolder, ...roots].map((folder) => path.join(folder, name));
  }
  const parts = locatorPath.split(/[\\/]/);
  return parts.every((part) => !IMPOSSIBLE.test(part)) ? [path.resolve(childFolder, ...parts)] : [];
}

function isName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !IMPOSSIBLE.test(name);
}

function isInside(file: string, root: string): boolean {
  const relative = path.relative(root, file);
  return relative !== '' && !path.isAbsolute(relative) && relative.split(path.sep)[0] !== '..';
}

function realPath(file: string): string | undefined {
  try {
    return realpathSync(file);
  } catch {
    return undefined;
  }
}

function isFile(file: string): boolean {
  try {
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
