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

/** Paths to the parent as they are to be stored: Windows paths as a rule. */
export interface VhdParentPaths {
  readonly relativePath?: string;
  readonly absoluteWin32Path?: string;
}

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
    readonly locators: VhdParentPaths;
  };
  /** GUID; a new one when it is left out. */
  readonly identifier?: string;
}

/** A locator's path before its place in the file is known. */
export interface LocatorPath {
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
  const write = await planVhd(options);
  await createWhole(options.path, write);
}

/** {@link createVhd} in a new file that is open already. */
export async function fillVhd(file: RandomAccessFile, options: CreateVhdOptions): Promise<void> {
  const write = await planVhd(options);
  await write(file);
}

/** Checks what is wished, and gives what writes it. */
async function planVhd(options: CreateVhdOptions): Promise<(file: RandomAccessFile) => Promise<void>> {
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
  return plan.type === 'fixed'
    ? (file) => file.write(encodeFooter(footer), plan.virtualSize)
    : (file) => writeSparse(file, plan, footer, parent);
}

async function readParent(options: CreateVhdOptions): Promise<ParentFacts | undefined> {
  if ((options.type === 'differencing') !== (options.parent !== undefined)) {
    throw new VhdError('VHD_INVALID_ARGUMENT', 'A differencing disk needs a parent, and no other has one.');
  }
  if (options.parent === undefined) return undefined;
  const locators = locatorPaths(options.parent.locators);
  const file = await openFile(options.parent.path, 'read');
  try {
    const { footer } = await readVhd(file);
    const header = await parentFields(options.parent.path, footer.uniqueId, options.parent.locators);
    return { virtualSize: footer.currentSize, header, locators };
  } finally {
    await file.close();
  }
}

/** @throws VhdError `VHD_INVALID_ARGUMENT` when there is no path. */
export function locatorPaths(paths: VhdParentPaths): readonly LocatorPath[] {
  const all: readonly (readonly [number, string | undefined])[] = [
    [LOCATOR_RELATIVE, paths.relativePath],
    [LOCATOR_ABSOLUTE, paths.absoluteWin32Path],
  ];
  const locators = all.flatMap(([platform, text]) =>
    text === undefined ? [] : [{ platform, data: Buffer.from(text, 'utf16le') }],
  );
  if (locators.length === 0) {
    throw new VhdError('VHD_INVALID_ARGUMENT', 'A differencing disk needs at least one path to its parent.');
  }
  return locators;
}

/** What a child's header says of its parent, which is the file `parentPath` of this machine. */
export async function parentFields(
  parentPath: string,
  uniqueId: string,
  paths: VhdParentPaths,
): Promise<Omit<VhdParent, 'locators'>> {
  const { mtimeMs } = await stat(parentPath);
  const name = path.win32.basename(paths.absoluteWin32Path ?? paths.relativePath ?? '');
  return { uniqueId, timeStamp: vhdTime(mtimeMs), name };
}

/** Writes the locators' data one after the other from `offset`; each takes whole sectors. */
export async function writeLocators(
  file: RandomAccessFile,
  paths: readonly LocatorPath[],
  offset: number,
): Promise<readonly VhdLocator[]> {
  const locators: VhdLocator[] = [];
  let end = offset;
  for (const { platform, data } of paths) {
    const space = roundUp(data.length, 512);
    await file.write(data, end);
    locators.push({ platform, space, length: data.length, offset: end });
    end += space;
  }
  return locators;
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
  const locators = await writeLocators(file, parent?.locators ?? [], tableOffset + table.length);
  const end = locators.reduce((sum, { space }) => sum + space, tableOffset + table.length);
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
