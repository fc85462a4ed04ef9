import type { ChildProcess } from 'node:child_process';
import { fork, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { convertDisk, createVhdx, openDisk } from '@nova-hyperv/vhd';
import type { Line, Scale } from './compare.js';
import { KIB, MIB, seconds, tool } from './compare.js';

const SERVER = fileURLToPath(new URL('nbd-server.ts', import.meta.url));
const SERVER_DEADLINE_MS = 10_000;

interface Measure {
  readonly name: string;
  /** Bytes moved. */
  readonly bytes: number;
  readonly run: (url: string) => Promise<unknown>;
}

/** `qemu-img bench` as the client, at depth 16. */
function bench(name: string, block: number, bytes: number, isWrite: boolean): Measure {
  const args = ['bench', '-f', 'raw', '-d', '16', '-s', String(block), '-c', String(bytes / block)];
  return { name, bytes, run: (url) => tool('qemu-img', ...args, ...(isWrite ? ['-w'] : []), url) };
}

export interface NbdLines {
  readonly lines: readonly Line[];
  /** Ends the servers. */
  readonly stop: () => Promise<void>;
}

/** Both servers have a VHDX of the same content, on unix sockets; the client is the same and its start counts. */
export async function nbdLines(folder: string, { diskSize }: Scale): Promise<NbdLines> {
  const at = (name: string): string => path.join(folder, name);
  await createVhdx({ path: at('nbd-ours'), type: 'dynamic', virtualSize: diskSize });
  const disk = await openDisk(at('nbd-ours'));
  const bytes = Buffer.alloc(MIB, 0x5a);
  for (let offset = 0; offset < diskSize; offset += bytes.length) await disk.write(bytes, offset);
  await disk.close();
  await convertDisk({ path: at('nbd-ours') }, { path: at('nbd-theirs'), format: 'vhdx' });
  await convertDisk({ path: at('nbd-ours') }, { path: at('nbd-raw'), format: 'raw' });
  const servers = [
    fork(SERVER, [at('nbd-ours'), at('ours.sock')], { execArgv: process.execArgv }),
    spawn(
      'qemu-nbd',
      ['-t', '-e', '8', '-f', 'vhdx', '-x', 'disk', '-k', at('theirs.sock'), at('nbd-theirs')],
      { stdio: 'inherit' },
    ),
  ];
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => end(server)));
  };
  try {
    await waitFor(() => existsSync(at('ours.sock')) && existsSync(at('theirs.sock')));
  } catch (error) {
    await stop();
    throw error;
  }
  const url = (side: string): string => `nbd+unix:///disk?socket=${at(`${side}.sock`)}`;
  const measures: readonly Measure[] = [
    bench('read 64 KiB', 64 * KIB, diskSize, false),
    bench('read 4 KiB', 4 * KIB, diskSize / 8, false),
    bench('write 64 KiB', 64 * KIB, diskSize, true),
    bench('write 4 KiB', 4 * KIB, diskSize / 8, true),
    { name: 'nbdcopy out', bytes: diskSize, run: (from) => tool('nbdcopy', from, 'null:') },
    { name: 'nbdcopy in', bytes: diskSize, run: (to) => tool('nbdcopy', at('nbd-raw'), to) },
  ];
  const lines = measures.map(({ name, bytes: moved, run }): Line => ({
    group: 'NBD',
    name,
    against: 'qemu-nbd',
    bytes: moved,
    ours: () => seconds(() => run(url('ours'))),
    theirs: () => seconds(() => run(url('theirs'))),
  }));
  return { lines, stop };
}

async function waitFor(isThere: () => boolean): Promise<void> {
  const deadline = performance.now() + SERVER_DEADLINE_MS;
  while (!isThere()) {
    if (performance.now() > deadline) throw new Error('A server did not start in time.');
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const gone = new Promise((resolve) => {
    server.once('exit', resolve);
  });
  if (server.connected) server.disconnect();
  else server.kill('SIGTERM');
  await gone;
}
