import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { inspect, mergeDisk, type DiskInfo } from '@nova-hyperv/vhd';
import { CliError, EXIT } from '../../errors.js';
import { readChain } from './chain.js';
import { inShort } from './describe.js';
import { withLocks, type Locks } from './locks.js';
import { addOutputOptions, perform, type Operation, type Outcome, type OutputFlags } from './operation.js';
import { DISK_FORMATS, formatOfTarget } from './options/format.js';
import { addParentFolderOption, parentsOf, type ParentFolderFlags } from './options/parent-folders.js';
import { makeTarget } from './target.js';

interface MergeFlags extends OutputFlags, ParentFolderFlags {
  readonly into?: string;
  readonly output?: string;
  readonly removeMerged?: boolean;
  readonly force?: boolean;
}

export function addMergeCommand(vhd: Command): void {
  const command = vhd
    .command('merge')
    .description('bring what a differencing disk holds into its parent')
    .argument('<file>', 'the child')
    .option('--into <ancestor>', 'into this disk of the chain, with all between')
    .option('--output <file>', 'instead: make a new disk of the whole chain, and leave the chain as it is')
    .option('--remove-merged', 'remove the child and the disks between when all is done')
    .option('--force', 'replace a file of the name of --output');
  addOutputOptions(addParentFolderOption(command))
    .addHelpText(
      'after',
      '\nOther children of a disk that took something in no longer fit it, and are refused when they are opened.',
    )
    .action((file: string, flags: MergeFlags) =>
      perform('merge', flags, (operation) => merge(file, flags, operation)),
    );
}

function merge(file: string, flags: MergeFlags, operation: Operation): Promise<Outcome> {
  const { into, output } = flags;
  if (output !== undefined && (into !== undefined || flags.removeMerged === true))
    throw new CliError('--output leaves the chain as it is: neither --into nor --remove-merged', EXIT.usage);
  if (flags.force === true && output === undefined)
    throw new CliError('--force is about the file of --output', EXIT.usage);
  const resolveParent = parentsOf(file, flags);
  return withLocks('vhd merge', async (locks) => {
    await locks.take(file, output === undefined ? 'write' : 'read');
    const [child, ...parents] = await readChain(file, resolveParent);
    if (child === undefined || parents.length === 0)
      throw new CliError(`${file} is no differencing disk: there is nothing to merge it into`);
    if (output === undefined) {
      const target = await takeUpTo(into, parents, locks);
      const removeMerged = flags.removeMerged === true;
      await mergeDisk(
        { path: file, resolveParent },
        { ...(into === undefined ? {} : { into: target.path }), removeMerged },
        operation,
      );
      return told(target.path);
    }
    for (const parent of parents) await locks.take(parent.path, 'read');
    const format = formatOfTarget(output, undefined, DISK_FORMATS);
    const sources = [child, ...parents].map(({ path }) => path);
    await makeTarget(output, { force: flags.force === true, sources, locks }, (at) =>
      mergeDisk({ path: file, resolveParent }, { newFile: { path: at, format } }, operation),
    );
    return told(output);
  });
}

/** Holds all that is written, from the parent down to the ancestor, and the rest for reading. */
async function takeUpTo(
  into: string | undefined,
  parents: readonly DiskInfo[],
  locks: Locks,
): Promise<DiskInfo> {
  const depth = into === undefined ? 0 : await depthOf(into, parents);
  for (const [index, { path }] of parents.entries())
    await locks.take(path, index <= depth ? 'write' : 'read');
  const target = parents[depth];
  if (target === undefined) throw new CliError(`${into} is not above the disk in its chain`, EXIT.usage);
  return target;
}

async function depthOf(into: string, parents: readonly DiskInfo[]): Promise<number> {
  const wanted = await stat(into);
  for (const [index, { path }] of parents.entries()) {
    const { dev, ino } = await stat(path);
    if (dev === wanted.dev && ino === wanted.ino) return index;
  }
  return parents.length;
}

async function told(target: string): Promise<Outcome> {
  const info = await inspect(target);
  return { json: info, text: `${target}: ${inShort(info)}` };
}
