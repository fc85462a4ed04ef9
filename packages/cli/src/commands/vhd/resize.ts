import { InvalidArgumentError, type Command } from 'commander';
import { inspect, minimumSize, openDisk, resizeDisk, type ResolveParent } from '@nova-hyperv/vhd';
import { CliError, EXIT } from '../../errors.js';
import { exactly } from './describe.js';
import { withLocks } from './locks.js';
import { addOutputOptions, perform, type Operation, type Outcome, type OutputFlags } from './operation.js';
import { addParentFolderOption, parentsOf, type ParentFolderFlags } from './options/parent-folders.js';
import { applySizeChange, parseSizeChange, type SizeChange } from './options/size.js';
import { growServed } from './serve-control.js';

interface ResizeFlags extends OutputFlags, ParentFolderFlags {
  readonly toMinimum?: boolean;
  readonly force?: boolean;
  readonly socket?: string;
}

export function addResizeCommand(vhd: Command): void {
  const command = vhd
    .command('resize')
    .description('change the size of a disk')
    .usage('[options] <file> <size|+size>\n       nova-hyperv vhd resize --socket <path> <size|+size>')
    .argument('[file]')
    .argument('[size]', '20G is the new size, +1G grows by that')
    .option('--to-minimum', 'instead of a size: as small as its partitions allow')
    .option('--force', 'cut off partitions when a VHDX is made smaller; what lies there is lost')
    .option(
      '--socket <path>',
      "grow the disk that 'vhd serve' serves there; clients that connect then see it",
    );
  addOutputOptions(addParentFolderOption(command)).action(
    (file: string | undefined, size: string | undefined, flags: ResizeFlags) =>
      perform('resize', flags, (operation) => dispatch([file, size], flags, operation)),
  );
}

async function dispatch(
  [first, second]: readonly [string | undefined, string | undefined],
  flags: ResizeFlags,
  operation: Operation,
): Promise<Outcome> {
  if (flags.socket !== undefined) {
    if (first === undefined || second !== undefined || flags.force === true || flags.toMinimum === true)
      throw new CliError(
        '--socket takes a size and nothing else: the disk is the one that is served',
        EXIT.usage,
      );
    const { previousSize, virtualSize } = await growServed(flags.socket, sizeChange(first));
    return told(flags.socket, previousSize, virtualSize);
  }
  if (first === undefined || (second === undefined) === (flags.toMinimum !== true))
    throw new CliError('say the disk, and its new size or --to-minimum', EXIT.usage);
  const change = second === undefined ? undefined : sizeChange(second);
  return resize(first, change, flags, operation);
}

function sizeChange(text: string): SizeChange {
  try {
    return parseSizeChange(text);
  } catch (error) {
    if (error instanceof InvalidArgumentError)
      throw new CliError(`${text}: ${error.message}`, EXIT.usage, { cause: error });
    throw error;
  }
}

async function resize(
  file: string,
  change: SizeChange | undefined,
  flags: ResizeFlags,
  { signal, onProgress }: Operation,
): Promise<Outcome> {
  const resolveParent = parentsOf(file, flags);
  return withLocks('vhd resize', async (locks) => {
    await locks.takeChain(file, 'write', resolveParent);
    const { virtualSize: previousSize } = await inspect(file);
    const wanted =
      change === undefined ? await smallest(file, resolveParent) : applySizeChange(change, previousSize);
    const virtualSize = await resizeDisk(file, wanted, {
      resolveParent,
      force: flags.force === true,
      signal,
      onProgress,
    });
    return told(file, previousSize, virtualSize);
  });
}

async function smallest(file: string, resolveParent: ResolveParent): Promise<number> {
  const disk = await openDisk(file, { readOnly: true, resolveParent });
  try {
    return await minimumSize(disk);
  } finally {
    await disk.close();
  }
}

function told(what: string, previousSize: number, virtualSize: number): Outcome {
  return {
    json: { path: what, previousSize, virtualSize },
    text: `${what}: ${exactly(previousSize)} became ${exactly(virtualSize)}`,
  };
}
