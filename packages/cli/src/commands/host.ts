import type { Command } from 'commander';
import type { HostNuma } from '@nova-hyperv/hyperv';
import { accesses, addHostOptions, connect, type HostFlags } from '../hosts/access.js';
import { drawNuma } from '../numa-drawing.js';

interface NumaFlags extends HostFlags {
  readonly json?: boolean;
}

export function addHostCommand(program: Command): void {
  const host = program.command('host').description('look at Hyper-V hosts');
  const command = host
    .command('numa')
    .description("draw the hosts' NUMA nodes and whose memory lies on them");
  addHostOptions(command).option('--json', 'for programs').action(numa);
}

async function numa(flags: NumaFlags): Promise<void> {
  const found: (HostNuma & { readonly host: string })[] = [];
  for (const access of await accesses(flags)) {
    const connection = await connect(access);
    try {
      found.push({ host: connection.name, ...(await connection.numa()) });
    } finally {
      await connection.close();
    }
  }
  console.log(
    flags.json === true
      ? JSON.stringify(found, undefined, 2)
      : found.map(({ host, ...nodes }) => drawNuma(host, nodes)).join('\n\n'),
  );
}
