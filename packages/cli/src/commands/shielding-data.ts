import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';

export function addShieldingDataCommand(program: Command): void {
  program
    .command('shielding-data')
    .description('write a shielding data file for machines on guarded emulated hosts')
    .argument('<file>', 'file to make; it must not be there')
    .action(async (file: string) => {
      // Loaded when it is needed: see commands/up.ts.
      const { newShieldingData } = await import('@nova-hyperv/emulator');
      await writeFile(file, newShieldingData(), { flag: 'wx', mode: 0o600 });
    });
}
