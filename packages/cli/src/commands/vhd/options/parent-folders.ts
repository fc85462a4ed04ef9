import path from 'node:path';
import type { Command } from 'commander';
import { resolveWithin, type ResolveParent } from '@nova-hyperv/vhd';

export interface ParentFolderFlags {
  readonly parentFolder: readonly string[];
}

export function addParentFolderOption(command: Command): Command {
  return command.option(
    '--parent-folder <dir>',
    "folder that parents may be in, repeatable (default: the disk's own); nothing outside is ever opened",
    (value: string, all: string[]) => [...all, value],
    [],
  );
}

/** Where the parents of a disk are looked for. */
export function parentsOf(file: string, flags: ParentFolderFlags): ResolveParent {
  return resolveWithin([path.dirname(path.resolve(file)), ...flags.parentFolder]);
}
