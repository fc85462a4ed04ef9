/**
 * Our NBD server against qemu-nbd on the same VHDX, both on unix sockets, page cache warm, taking turns so that a
 * busy machine is unfair to neither. Run with `npx tsx --conditions=source bench/nbd.bench.ts`.
 */
import type { ChildProcess } from 'node:child_process';
import { execFile, fork, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { convertDisk, createVhdx, openDisk, serveNbd } from '@nova-hyperv/vhd';

const MIB = 1024 * 1024;
const SIZE = 512 * MIB;
const ROUNDS = 3;
const SERVER_DEADLINE_MS = 10_000;

interface Measure {
  readonly name: string;
  /** Bytes moved. */
  readonly bytes: number;
  run(url: string, scratch: string): Promise<unknown>;
}

function tool(name: string, ...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(name, args, { timeout: 120_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${name}: ${error.message}\n${stderr}`));
    });
  });
}

/** `qemu-img bench` at depth 16. */
function bench(name: string, block: number, bytes: number, isWrite: boolean): Measure {
  const args = ['bench', '-f', 'raw', '-d', '16', '-s', String(block), '-c', String(bytes / block)];
  return { name, bytes, run: (url) => tool('qemu-img', ...args, ...(isWrite ? ['-w'] : []), url) };
}

const MEASURES: readonly Measure[] = [
  bench('read 64 KiB', 64 * 1024, SIZE, false),
  bench('read 4 KiB', 4096, 64 * MIB, false),
  bench('write 64 KiB', 64 * 1024, SIZE, true),
  bench('write 4 KiB', 4096, 64 * MIB, true),
  { name: 'nbdcopy out', bytes: SIZE, run: (url) => tool('nbdcopy', url, 'null:') },
  { name: 'nbdcopy in', bytes: SIZE, run: (url, scratch) => tool('nbdcopy', scratch, url) },
];

/** The server runs in a process of its own, as it does in the product, away from what measures it. */
async function serve(disk: string, socketPath: string): Promise<void> {
  const opened = await openDisk(disk);
  const server = await serveNbd({ socketPath });
  server.addExport('disk', opened);
  process.on('disconnect', () => {
    void server
      .close()
      .then(() => opened.close())
      .then(() => process.exit(0));
  });
  process.send?.('ready');
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

async function seconds(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}

async function stop(server: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => {
    server.once('exit', resolve);
  });
  if (server.connected) server.disconnect();
  else server.kill('SIGTERM');
  await gone;
}

async function main(): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'nova-hyperv-bench-'));
  const servers: ChildProcess[] = [];
  try {
    const [ours, theirs, raw] = ['ours.vhdx', 'theirs.vhdx', 'raw.img'].map((name) =>
      path.join(folder, name),
    );
    if (ours === undefined || theirs === undefined || raw === undefined) return;
    await createVhdx({ path: ours, type: 'dynamic', virtualSize: SIZE });
    const disk = await openDisk(ours);
    await disk.write(Buffer.alloc(SIZE, 0x5a), 0);
    await disk.close();
    await convertDisk({ path: ours }, { path: theirs, format: 'vhdx' });
    await convertDisk({ path: ours }, { path: raw, format: 'raw' });
    const [ourSocket, theirSocket] = [path.join(folder, 'ours.sock'), path.join(folder, 'theirs.sock')];
    servers.push(
      fork(fileURLToPath(import.meta.url), ['serve', ours, ourSocket], { execArgv: process.execArgv }),
    );
    servers.push(
      spawn('qemu-nbd', ['-t', '-e', '8', '-f', 'vhdx', '-x', 'disk', '-k', theirSocket, theirs], {
        stdio: 'inherit',
      }),
    );
    await waitFor(() => existsSync(ourSocket) && existsSync(theirSocket));
    for (const measure of MEASURES) await compare(measure, raw, ourSocket, theirSocket);
  } finally {
    await Promise.all(servers.map((server) => stop(server)));
    await rm(folder, { recursive: true, force: true });
  }
}

async function compare(measure: Measure, raw: string, ourSocket: string, theirSocket: string): Promise<void> {
  const best = { ours: Infinity, theirs: Infinity };
  for (let round = 0; round < ROUNDS; round += 1) {
    best.ours = Math.min(
      best.ours,
      await seconds(() => measure.run(`nbd+unix:///disk?socket=${ourSocket}`, raw)),
    );
    best.theirs = Math.min(
      best.theirs,
      await seconds(() => measure.run(`nbd+unix:///disk?socket=${theirSocket}`, raw)),
    );
  }
  const rate = (time: number): string => `${(measure.bytes / MIB / time).toFixed(0).padStart(6)} MiB/s`;
  const ratio = (best.theirs / best.ours).toFixed(2);
  console.log(
    `${measure.name.padEnd(14)} ours ${rate(best.ours)}   qemu-nbd ${rate(best.theirs)}   ratio ${ratio} (above 1: ours is faster)`,
  );
}

const [role, disk, socketPath] = process.argv.slice(2);
if (role === 'serve' && disk !== undefined && socketPath !== undefined) await serve(disk, socketPath);
else await main();
