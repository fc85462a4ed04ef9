import type { Command } from 'commander';
import { addCheckCommand } from './check.js';
import { addCompactCommand } from './compact.js';
import { addConvertCommand } from './convert.js';
import { addCreateCommand } from './create.js';
import { addInfoCommand } from './info.js';
import { addMergeCommand } from './merge.js';
import { addResizeCommand } from './resize.js';
import { addServeCommand } from './serve.js';
import { addSetParentCommand } from './set-parent.js';

const HELP = `
Exit codes:
   0  done
   1  failed
   2  check: errors were found
   3  check: only something to put right was found (leaked space, one of two copies damaged)
  64  a mistake in the command line
  70  a fault of this program
  73  the target exists (--force replaces it)
  75  the disk is in use by another process
 130  stopped by Ctrl-C, 143 by SIGTERM; nothing half-made is left

Sizes are written as 10G, 512M, 1.5T or in plain bytes; K, M, G and T are of 1024, as in qemu-img and PowerShell.
Standard output holds what was asked for, standard error errors and, on a terminal, progress.`;

export function addVhdCommand(program: Command): void {
  const vhd = program
    .command('vhd')
    .description('make, look into, change and serve VHD and VHDX files')
    .addHelpText('after', HELP);
  addInfoCommand(vhd);
  addCreateCommand(vhd);
  addConvertCommand(vhd);
  addResizeCommand(vhd);
  addMergeCommand(vhd);
  addSetParentCommand(vhd);
  addCompactCommand(vhd);
  addCheckCommand(vhd);
  addServeCommand(vhd);
}
