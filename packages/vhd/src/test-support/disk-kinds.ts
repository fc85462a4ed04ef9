import path from 'node:path';
import { KIB, MIB } from '../bytes/integers.js';
import type { Disk, DiskFormat, DiskType, OpenOptions } from '../disk.js';
import { openDisk } from '../open.js';
import { createVhd } from '../vhd/create.js';
import { createVhdx } from '../vhdx/create.js';

/** A kind of disk to run the same test on. */
export interface DiskKind {
  readonly name: string;
  readonly format: DiskFormat;
  readonly type: DiskType;
  readonly sectorSize: 512 | 4096;
  readonly blockSize: number;
}

export const DISK_KINDS: readonly DiskKind[] = [
  { name: 'VHD fixed', format: 'vhd', type: 'fixed', sectorSize: 512, blockSize: 0 },
  { name: 'VHD dynamic', format: 'vhd', type: 'dynamic', sectorSize: 512, blockSize: 512 * KIB },
  { name: 'VHD differencing', format: 'vhd', type: 'differencing', sectorSize: 512, blockSize: 512 * KIB },
  { name: 'VHDX fixed', format: 'vhdx', type: 'fixed', sectorSize: 512, blockSize: MIB },
  { name: 'VHDX dynamic', format: 'vhdx', type: 'dynamic', sectorSize: 512, blockSize: MIB },
  {
    name: 'VHDX dynamic with 4096-byte sectors',
    format: 'vhdx',
    type: 'dynamic',
    sectorSize: 4096,
    blockSize: 2 * MIB,
  },
  { name: 'VHDX differencing', format: 'vhdx', type: 'differencing', sectorSize: 512, blockSize: MIB },
  {
    name: 'VHDX differencing with 4096-byte sectors',
    format: 'vhdx',
    type: 'differencing',
    sectorSize: 4096,
    blockSize: MIB,
  },
];

/** Resolves any locator to the file of that name next to the child. */
export const besideChild: OpenOptions = {
  resolveParent: (locatorPath, childPath) =>
    path.join(path.dirname(childPath), path.win32.basename(locatorPath)),
};

/** Makes a disk of the kind; a differencing one over `parent`. */
export async function createKind(
  kind: DiskKind,
  file: string,
  virtualSize: number,
  parent?: string,
): Promise<void> {
  const common = { path: file, ...(kind.blockSize === 0 ? {} : { blockSize: kind.blockSize }) };
  const isChild = kind.type === 'differencing' && parent !== undefined;
  const type = kind.type === 'differencing' && !isChild ? 'dynamic' : kind.type;
  const below = isChild
    ? { parent: { path: parent, locators: locatorsTo(path.basename(parent)) } }
    : { virtualSize };
  if (kind.format === 'vhd') await createVhd({ ...common, type, ...below });
  else await createVhdx({ ...common, type, logicalSectorSize: kind.sectorSize, ...below });
}

/** Both kinds of path: libvhdi looks at the absolute one only. */
function locatorsTo(name: string): { relativePath: string; absoluteWin32Path: string } {
  return { relativePath: `.\\${name}`, absoluteWin32Path: `C:\\disks\\${name}` };
}

/** The whole content of a disk. For small ones. */
export async function readAll(disk: Disk): Promise<Buffer> {
  const bytes = Buffer.alloc(disk.virtualSize);
  await disk.read(bytes, 0);
  return bytes;
}

export async function readFileOfDisk(file: string): Promise<Buffer> {
  const disk = await openDisk(file, { ...besideChild, readOnly: true });
  try {
    return await readAll(disk);
  } finally {
    await disk.close();
  }
}
