import { rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import { openDisk, serveNbd, type Disk, type NbdServer } from '@nova-hyperv/vhd';
import { CliError, EXIT, errorDocument } from '../../errors.js';
import { Interrupt } from '../../terminal/interrupt.js';
import { withLocks } from './locks.js';
import { printJson } from './operation.js';
import { addParentFolderOption, parentsOf, type ParentFolderFlags } from './options/parent-folders.js';
import { controlSocketOf, startControl, type ControlServer } from './serve-control.js';

interface ServeFlags extends ParentFolderFlags {
  readonly socket: string;
  readonly readOnly?: boolean;
  readonly name: string;
  readonly pidFile?: string;
  readonly json?: boolean;
}

/** unix(7): what fits into an address, less its closing zero. */
const MAX_SOCKET_PATH = 107;

export function addServeCommand(vhd: Command): void {
  const command = vhd
    .command('serve')
    .description('serve a disk, with its parents, over NBD until SIGTERM or Ctrl-C')
    .argument('<file>')
    .requiredOption('--socket <path>', 'unix socket to listen on; only you can use it')
    .option('--read-only', 'refuse writes')
    .option('--name <name>', "the export's name", '')
    .option('--pid-file <path>', 'file to write the process id to, once clients can connect')
    .option('--json', 'print one JSON document, once clients can connect, or an error');
  addParentFolderOption(command)
    .addHelpText(
      'after',
      "\nPrints the export's URI. While it runs, no other nova-hyperv command writes to the disk; grow it with\n'vhd resize --socket'. On SIGTERM, requests under way end, the disk is flushed, and the exit code is 0.",
    )
    .action(async (file: string, flags: ServeFlags) => {
      const interrupt = new Interrupt();
      try {
        await serve(file, flags, interrupt);
      } catch (error) {
        if (flags.json === true) printJson(errorDocument(error));
        throw error;
      } finally {
        interrupt.dispose();
      }
    });
}

async function serve(file: string, flags: ServeFlags, interrupt: Interrupt): Promise<void> {
  const socket = path.resolve(flags.socket);
  if (Buffer.byteLength(controlSocketOf(socket)) > MAX_SOCKET_PATH)
    throw new CliError(`--socket ${flags.socket}: the path is too long for a socket`, EXIT.usage);
  const readOnly = flags.readOnly === true;
  const resolveParent = parentsOf(file, flags);
  await withLocks(`vhd serve --socket ${socket}`, async (locks) => {
    await locks.takeChain(file, readOnly ? 'read' : 'write', resolveParent);
    await withOpen(await openDisk(file, { readOnly, resolveParent }), async (disk) =>
      withOpen(await serveNbd({ socketPath: socket }), async (server) => {
        server.addExport(flags.name, disk, { description: path.basename(file) });
        // One that was killed may have left its control socket.
        await rm(controlSocketOf(socket), { force: true });
        const control = readOnly ? undefined : await startControl(socket, disk);
        await withOpen(control, () => announceAndWait(disk, server, socket, flags, interrupt));
      }),
    );
  });
}

/** Runs with something that is closed afterwards, whatever happens. */
async function withOpen<T extends Disk | NbdServer | ControlServer | undefined>(
  resource: T,
  run: (resource: T) => Promise<void>,
): Promise<void> {
  try {
    await run(resource);
  } finally {
    await resource?.close();
  }
}

async function announceAndWait(
  disk: Disk,
  server: NbdServer,
  socket: string,
  flags: ServeFlags,
  interrupt: Interrupt,
): Promise<void> {
  const uri = `nbd+unix:///${encodeURIComponent(flags.name)}?socket=${encodeURI(socket)}`;
  const { pid } = process;
  try {
    if (flags.pidFile !== undefined) await writePidFile(flags.pidFile, pid);
    if (flags.json === true) {
      const { virtualSize, readOnly } = disk;
      printJson({ uri, socket: server.socketPath, name: flags.name, readOnly, virtualSize, pid });
    } else console.log(uri);
    await interrupt.wait();
  } finally {
    if (flags.pidFile !== undefined) await rm(flags.pidFile, { force: true });
  }
}

/** Whoever waits for the file finds it whole. */
async function writePidFile(file: string, pid: number): Promise<void> {
  const beside = `${file}.${pid}.new`;
  await writeFile(beside, `${pid}\n`);
  await rename(beside, file);
}
