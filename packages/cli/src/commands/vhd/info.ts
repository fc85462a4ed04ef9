import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { inspect, type DiskInfo } from '@nova-hyperv/vhd';
import { readChain } from './chain.js';
import { exactly, table } from './describe.js';
import { addOutputOptions, perform, type OutputFlags } from './operation.js';
import { addParentFolderOption, parentsOf, type ParentFolderFlags } from './options/parent-folders.js';

interface InfoFlags extends OutputFlags, ParentFolderFlags {
  readonly chain?: boolean;
}

/** What a file takes of its file system, bytes; holes take nothing. */
type Told = DiskInfo & { readonly allocatedSize: number };

export function addInfoCommand(vhd: Command): void {
  const command = vhd
    .command('info')
    .description('tell what a disk file is, by its content')
    .argument('<file>')
    .option('--chain', 'tell of its parents too');
  addOutputOptions(addParentFolderOption(command)).action((file: string, flags: InfoFlags) =>
    perform('info', flags, async () => {
      const chain =
        flags.chain === true ? await readChain(file, parentsOf(file, flags)) : [await inspect(file)];
      const told = await Promise.all(chain.map(withAllocation));
      const [disk, ...parents] = told;
      return {
        json: { ...disk, ...(flags.chain === true ? { parents } : {}) },
        text: told.map(describe).join('\n\n'),
      };
    }),
  );
}

async function withAllocation(info: DiskInfo): Promise<Told> {
  return { ...info, allocatedSize: (await stat(info.path)).blocks * 512 };
}

function describe(info: Told): string {
  const { parent } = info;
  return table([
    ['file', info.path],
    ['format', `${info.format}, ${info.type}`],
    ['virtual size', exactly(info.virtualSize)],
    ['file size', `${exactly(info.fileSize)}, ${exactly(info.allocatedSize)} of them taken`],
    ['block size', info.blockSize === 0 ? 'none' : exactly(info.blockSize)],
    ['sectors', `${info.logicalSectorSize} bytes logical, ${info.physicalSectorSize} bytes physical`],
    ['identifier', info.identifier],
    ...(parent === undefined
      ? []
      : ([
          ['parent identifier', parent.identifier],
          ...parent.paths.map((path) => ['parent path', path] as const),
        ] as const)),
  ]);
}
