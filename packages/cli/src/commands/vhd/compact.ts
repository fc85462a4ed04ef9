import type { Command } from 'commander';
import { compactDisk } from '@nova-hyperv/vhd';
import { exactly } from './describe.js';
import { withLocks } from './locks.js';
import { addOutputOptions, perform, type OutputFlags } from './operation.js';
import { addParentFolderOption, parentsOf, type ParentFolderFlags } from './options/parent-folders.js';

interface CompactFlags extends OutputFlags, ParentFolderFlags {}

export function addCompactCommand(vhd: Command): void {
  const command = vhd
    .command('compact')
    .description('give back the space of blocks that hold nothing but zeros')
    .argument('<file>');
  addOutputOptions(addParentFolderOption(command)).action((file: string, flags: CompactFlags) =>
    perform('compact', flags, (operation) =>
      withLocks('vhd compact', async (locks) => {
        const resolveParent = parentsOf(file, flags);
        await locks.takeChain(file, 'write', resolveParent);
        const { before: previousFileSize, after: fileSize } = await compactDisk(file, operation);
        return {
          json: { path: file, previousFileSize, fileSize },
          text: `${file}: ${exactly(previousFileSize)} became ${exactly(fileSize)}`,
        };
      }),
    ),
  );
}
