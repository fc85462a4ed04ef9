import { open, truncate } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DiskFormat } from '@nova-hyperv/vhd';
import { convertDisk } from '@nova-hyperv/vhd';
import type { Line, Scale } from './compare.js';
import { MIB, secondsToMake, tool } from './compare.js';

const ONCE = fileURLToPath(new URL('convert-once.mjs', import.meta.url));

type Format = DiskFormat | 'raw';

interface Way {
  readonly name: string;
  readonly from: Format;
  readonly to: Format;
  readonly type: 'fixed' | 'dynamic';
}

const WAYS: readonly Way[] = [
  { name: 'raw to VHDX', from: 'raw', to: 'vhdx', type: 'dynamic' },
  { name: 'VHDX to raw', from: 'vhdx', to: 'raw', type: 'dynamic' },
  { name: 'raw to VHD', from: 'raw', to: 'vhd', type: 'dynamic' },
  { name: 'VHD to raw', from: 'vhd', to: 'raw', type: 'dynamic' },
  { name: 'VHD to VHDX', from: 'vhd', to: 'vhdx', type: 'dynamic' },
  { name: 'raw to fixed VHD', from: 'raw', to: 'vhd', type: 'fixed' },
];

const DRIVERS = { raw: 'raw', vhd: 'vpc', vhdx: 'vhdx' } as const;

/**
 * Sources are made by qemu-img, so that both read the same file, of the other's making; being new, their data is in
 * the page cache. Both sides leave the result on
 * stable storage: ours always does, qemu-img with `-t writeback` (`convert` alone does not).
 */
export async function convertLines(folder: string, scale: Scale): Promise<readonly Line[]> {
  const lines: Line[] = [];
  for (const { name, size, share } of [
    { name: 'full', size: scale.diskSize, share: 1 },
    { name: 'sparse', size: scale.sparseSize, share: 0.05 },
  ]) {
    const sources = await makeSources(folder, name, size, share);
    for (const way of WAYS) {
      const file = sources[way.from];
      const line = (where: string, ours: (target: string) => Promise<unknown>): Line => ({
        group: `Convert, ${name}`,
        name: `${way.name}, ${where}`,
        against: 'qemu-img convert',
        ours: () => secondsToMake(path.join(folder, 'target'), () => ours(path.join(folder, 'target'))),
        theirs: () =>
          secondsToMake(path.join(folder, 'target'), () => theirs(file, way, path.join(folder, 'target'))),
        bytes: size,
      });
      lines.push(line('as a command', (target) => asCommand(file, way, target)));
      if (way.to !== 'vhd') lines.push(line('in process', (target) => inProcess(file, way, target)));
    }
  }
  return lines;
}

async function makeSources(
  folder: string,
  name: string,
  size: number,
  share: number,
): Promise<Record<Format, string>> {
  const [raw, vhd, vhdx] = ['raw', 'vhd', 'vhdx'].map((format) => path.join(folder, `${name}.${format}`));
  if (raw === undefined || vhd === undefined || vhdx === undefined) throw new Error('unreachable');
  await makeRaw(raw, size, share);
  await tool('qemu-img', 'convert', '-f', 'raw', '-O', 'vhdx', '-o', 'subformat=dynamic', raw, vhdx);
  await tool('qemu-img', 'convert', '-f', 'raw', '-O', 'vpc', '-o', 'force_size=on', raw, vhd);
  return { raw, vhd, vhdx };
}

/** Data in runs of 4 MiB, evenly spread, that no file system or program can make smaller. */
async function makeRaw(file: string, size: number, share: number): Promise<void> {
  const run = Buffer.alloc(4 * MIB);
  for (let at = 0; at < run.length; at += 4) run.writeInt32LE(Math.imul(at, 2654435761) | 1, at);
  const handle = await open(file, 'w');
  try {
    for (let at = 0; at < size; at += run.length / share) await handle.write(run, 0, run.length, at);
  } finally {
    await handle.close();
  }
  await truncate(file, size);
}

function inProcess(file: string, way: Way, target: string): Promise<void> {
  const as = way.from === 'raw' ? 'raw' : 'disk';
  return convertDisk({ path: file, as }, { path: target, format: way.to, type: way.type });
}

function asCommand(file: string, way: Way, target: string): Promise<string> {
  return tool(process.execPath, ONCE, file, way.from === 'raw' ? 'raw' : 'disk', target, way.to, way.type);
}

function theirs(file: string, way: Way, target: string): Promise<string> {
  const options = ['-t', 'writeback', '-f', DRIVERS[way.from], '-O', DRIVERS[way.to]];
  if (way.to !== 'raw') options.push('-o', `subformat=${way.type}`);
  return tool('qemu-img', 'convert', ...options, file, target);
}
