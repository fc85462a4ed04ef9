import type { Command } from 'commander';
import { inspect, type DiskInfo } from '@nova-hyperv/vhd';

export function addVhdCommand(program: Command): void {
  const vhd = program.command('vhd').description('look into VHD and VHDX files');
  vhd
    .command('info')
    .description('tell what a disk file is, by its content')
    .argument('<file>')
    .option('--json', 'for programs')
    .action(async (file: string, flags: { json?: boolean }) => {
      const info = await inspect(file);
      console.log(flags.json === true ? JSON.stringify(info, undefined, 2) : describe(info));
    });
}

function describe(info: DiskInfo): string {
  const rows: [string, string][] = [
    ['format', `${info.format}, ${info.type}`],
    ['virtual size', `${info.virtualSize} bytes (${(info.virtualSize / 2 ** 30).toFixed(2)} GiB)`],
    ['file size', `${info.fileSize} bytes`],
    ['block size', `${info.blockSize} bytes`],
    ['sectors', `${info.logicalSectorSize} bytes logical, ${info.physicalSectorSize} bytes physical`],
    ['identifier', info.identifier],
    ...(info.parent === undefined ? [] : info.parent.paths.map((path): [string, string] => ['parent', path])),
  ];
  return rows.map(([name, value]) => `${name.padEnd(13)} ${value}`).join('\n');
}
