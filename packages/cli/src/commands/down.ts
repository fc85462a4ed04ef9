import { resolve } from 'node:path';
import type { Command } from 'commander';
import { stopRunning } from '../up/detach.js';
import { stateFolder } from '../up/state-folder.js';

export function addDownCommand(program: Command): void {
  program
    .command('down')
    .description("stop what 'up --detach' left running")
    .option('--state <dir>', 'folder that holds everything of the cloud', 'state')
    .action(async (flags: { state: string }) => {
      const stopped = await stopRunning(stateFolder(resolve(flags.state)));
      console.error(stopped ? 'stopped' : 'nothing runs this state folder');
    });
}
