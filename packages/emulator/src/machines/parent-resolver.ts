import { existsSync } from 'node:fs';
import path from 'node:path';
import type { ResolveParent } from '@nova-hyperv/vhd';
import type { DrivePaths } from '../paths.js';

/**
 * Finds a differencing disk's parent on the host's drive by a path of its locators: absolute, or from the child's
 * folder.
 */
export function parentResolver(paths: DrivePaths): ResolveParent {
  return (locator, childPath) => {
    try {
      const folder = path.win32.dirname(paths.toWindows(childPath));
      const full = path.win32.isAbsolute(locator) ? locator : path.win32.join(folder, locator);
      const local = paths.toLocal(full);
      return existsSync(local) ? local : undefined;
    } catch {
      return undefined;
    }
  };
}
