import type { Command } from 'commander';
import { inspect, setParent } from '@nova-hyperv/vhd';
import { withLocks } from './locks.js';
import { addOutputOptions, perform, type OutputFlags } from './operation.js';
import { addParentFolderOption, parentsOf, type ParentFolderFlags } from './options/parent-folders.js';
import { parentLocators } from './parent-locators.js';

interface SetParentFlags extends OutputFlags, ParentFolderFlags {
  readonly parentWindowsPath?: string;
  readonly ignoreIdMismatch?: boolean;
}

export function addSetParentCommand(vhd: Command): void {
  const command = vhd
    .command('set-parent')
    .description('tell a differencing disk where its parent is now')
    .argument('<file>', 'the child')
    .argument('<parent>')
    .option(
      '--ignore-id-mismatch',
      'take a parent that is not the one it was made from; you vouch for its content',
    )
    .option(
      '--parent-windows-path <path>',
      'also store this path to the parent, for Windows (C:\\VMs\\base.vhdx)',
    );
  addOutputOptions(addParentFolderOption(command)).action(
    (file: string, parent: string, flags: SetParentFlags) =>
      perform('set-parent', flags, () =>
        withLocks('vhd set-parent', async (locks) => {
          const locators = await parentLocators(file, parent, flags.parentWindowsPath);
          await locks.take(file, 'write');
          await locks.takeChain(parent, 'read', parentsOf(parent, flags));
          await setParent(file, parent, {
            locators,
            ignoreMismatch: flags.ignoreIdMismatch === true,
            resolveParent: parentsOf(parent, flags),
          });
          return { json: await inspect(file), text: `${file}: its parent is ${parent}` };
        }),
      ),
  );
}
