import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hostBaseName } from '@nova-hyperv/hyperv';
import { inspect } from '@nova-hyperv/vhd';
import { isMissing } from './instance-folder.js';

const DISK = /\.a?vhdx?$/i;

export interface BaseUse {
  /** Lower-case file names of the parents that disks of instances name. */
  readonly parents: ReadonlySet<string>;
  /** Disks whose parent could not be read: any base may be theirs. */
  readonly unread: readonly string[];
}

export function mayBeParent(use: BaseUse, fileName: string): boolean {
  return use.unread.length > 0 || use.parents.has(fileName.toLowerCase());
}

/**
 * Which base images the disks below `instancesFolder` are children of, by the disks' own headers: a base that is changed or removed
 * under a child destroys the child. Every folder but that of the bases is looked into, also those that this driver did not make.
 */
export async function readBaseUse(instancesFolder: string, baseFolderName: string): Promise<BaseUse> {
  const parents = new Set<string>();
  const unread: string[] = [];
  for (const folder of await readdir(instancesFolder, { withFileTypes: true })) {
    if (!folder.isDirectory() || folder.name === baseFolderName) continue;
    for (const file of await disksOf(join(instancesFolder, folder.name))) {
      try {
        const { parent } = await inspect(file);
        for (const path of parent?.paths ?? []) parents.add(hostBaseName(path).toLowerCase());
      } catch (error) {
        if (!isMissing(error)) unread.push(file);
      }
    }
  }
  return { parents, unread };
}

async function disksOf(folder: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(folder, { recursive: true });
    return entries.filter((entry) => DISK.test(entry)).map((entry) => join(folder, entry));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
