import { stat } from 'node:fs/promises';
import path from 'node:path';
import { newGuid, normaliseGuid } from '../bytes/guid.js';
import { roundUp } from '../bytes/integers.js';
import type { DiskType } from '../disk.js';
import { VhdError } from '../errors.js';
import { createWhole } from '../io/new-file.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import { openFile } from '../io/random-access-file.js';
import type { CreatePlan } from '../limits.js';
import { validateCreate } from '../limits.js';
import { chsGeometry } from './chs.js';
import type { VhdLocator, VhdParent } from './dynamic-header.js';
import {
  DYNAMIC_HEADER_SIZE,
  encodeDynamicHeader,
  LOCATOR_ABSOLUTE,
  LOCATOR_RELATIVE,
  NO_PARENT,
} from './dynamic-header.js';
import type { VhdFooter } from './footer.js';
import { encodeFooter, FOOTER_SIZE, vhdTime } from './footer.js';
import { readVhd } from './vhd-file.js';

export interface CreateVhdOptions {
  readonly path: string;
  readonly type: DiskType;
  /** Bytes. Differencing disks have the parent's. */
  readonly virtualSize?: number;
  /** Bytes; 2 MiB when left out. Fixed disks have none. */
  readonly blockSize?: number;
  /** Differencing disks need it. `path` is this machine's; the locators are stored as they are (Windows paths). */
  readonly parent?: {
    readonly path: string;
    readonly locators: { readonly relativePath?: string; readonly absoluteWin32Path?: string };
  };
  /** GUID; a new one when it is left out. */
  readonly identifier?: string;
}

/** A locator's path before its place in the file is known. */
interface LocatorPath {
  readonly platform: number;
  readonly data: Buffer;
}

interface ParentFacts {
  readonly virtualSize: number;
  readonly header: Omit<VhdParent, 'locators'>;
  readonly locators: readonly LocatorPath[];
}

/**
 * Makes a VHD. Fixed disks are sparse where the file system allows.
 * @throws VhdError `VHD_EXISTS`, `VHD_INVALID_ARGUMENT`; what opening the parent throws. No file is left then.
 */
export async function createVhd(options: CreateVhdOptions): Promise<void> {
  const parent = await readParent(options);
  const plan = validateCreate({
    format: 'vhd',
    type: options.type,
    virtualSize: options.virtualSize ?? parent?.virtualSize ?? 0,
    ...(options.blockSize === undefined ? {} : { blockSize: options.blockSize }),
  });
  if (parent !== undefined && plan.virtualSize !== parent.virtualSize) {
    throw new VhdError(
      'VHD_INVALID_ARGUMENT',
      `A differencing VHD has its parent's size, ${parent.virtualSize} bytes.`,
    );
  }
  const footer: VhdFooter = {
    type: plan.type,
    currentSize: plan.virtualSize,
    originalSize: plan.virtualSize,
    geometry: chsGeometry(plan.virtualSize),
    uniqueId: options.identifier === undefined ? newGuid() : normaliseGuid(options.identifier),
    timeStamp: vhdTime(),
    dataOffset: plan.type === 'fixed' ? undefined : FOOTER_SIZE,
    savedState: false,
  };
  await createWhole(options.path, async (file) => {
    if (plan.type === 'fixed') await file.write(encodeFooter(footer), plan.virtualSize);
    else await writeSparse(file, plan, footer, parent);
  });
}

async function readParent(options: CreateVhdOptions): Promise<ParentFacts | undefined> {
  if ((options.type === 'differencing') !== (options.parent !== undefined)) {
    throw new VhdError('VHD_INVALID_ARGUMENT', 'A differencing disk needs a parent, and no other has one.');
  }
  if (options.parent === undefined) return undefined;
  const { relativePath, absoluteWin32Path } = options.parent.locators;
  const locators: LocatorPath[] = [];
  if (relativePath !== undefined)
    locators.push({ platform: LOCATOR_RELATIVE, data: Buffer.from(relativePath, 'utf16le') });
  if (absoluteWin32Path !== undefined) {
    locators.push({ platform: LOCATOR_ABSOLUTE, data: Buffer.from(absoluteWin32Path, 'utf16le') });
  }
  if (locators.length === 0) {
    throw new VhdError('VHD_INVALID_ARGUMENT', 'A differencing disk needs at least one path to its parent.');
  }
  const file = await openFile(options.parent.path, 'read');
  try {
    const { footer } = await readVhd(file);
    const { mtimeMs } = await stat(options.parent.path);
    const name = path.win32.basename(absoluteWin32Path ?? relativePath ?? '');
    return {
      virtualSize: footer.currentSize,
      header: { uniqueId: footer.uniqueId, timeStamp: vhdTime(mtimeMs), name },
      locators,
    };
  } finally {
    await file.close();
  }
}

async function writeSparse(
  file: RandomAccessFile,
  plan: CreatePlan,
  footer: VhdFooter,
  parent: ParentFacts | undefined,
): Promise<void> {
  const tableOffset = FOOTER_SIZE + DYNAMIC_HEADER_SIZE;
  const tableEntries = Math.ceil(plan.virtualSize / plan.blockSize);
  const table = Buffer.alloc(roundUp(tableEntries * 4, 512), 0xff);
  let end = tableOffset + table.length;
  const locators: VhdLocator[] = [];
  for (const { platform, data } of parent?.locators ?? []) {
    const space = roundUp(data.length, 512);
    await file.write(data, end);
    locators.push({ platform, space, length: data.length, offset: end });
    end += space;
  }
  const header = { tableOffset, tableEntries, blockSize: plan.blockSize };
  await file.write(encodeFooter(footer), 0);
  await file.write(
    encodeDynamicHeader({
      ...header,
      parent: parent === undefined ? NO_PARENT : { ...parent.header, locators },
    }),
    FOOTER_SIZE,
  );
  await file.write(table, tableOffset);
  await file.write(encodeFooter(footer), end);
}
