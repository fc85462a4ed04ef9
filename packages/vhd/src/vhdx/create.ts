import { newGuid, normaliseGuid, ZERO_GUID } from '../bytes/guid.js';
import { MIB, roundUp } from '../bytes/integers.js';
import type { DiskType } from '../disk.js';
import { VhdError } from '../errors.js';
import { createWhole } from '../io/new-file.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import { openFile } from '../io/random-access-file.js';
import type { CreatePlan } from '../limits.js';
import { validateCreate } from '../limits.js';
import {
  BAT_ENTRY_SIZE,
  batEntryCount,
  batRegionLength,
  chunkRatio,
  payloadBlockCount,
  payloadIndex,
} from './block-geometry.js';
import { PAYLOAD } from './block-table.js';
import { encodeHeader, HEADER_OFFSETS } from './header.js';
import type { VhdxMetadata } from './metadata.js';
import { encodeMetadata } from './metadata.js';
import type { ParentLocator, VhdxParentLocators } from './parent-locator.js';
import { locatorOf, requirePaths } from './parent-locator.js';
import { BAT_REGION, encodeRegionTable, METADATA_REGION, REGION_TABLE_OFFSETS } from './region-table.js';
import { readVhdx, VHDX_SIGNATURE } from './vhdx-file.js';

/** Written into the file type identifier, for whoever wonders (MS-VHDX 2.2.1). */
const CREATOR = 'nova-hyperv';

/** Where the structures of a new file lie. Bytes. */
export const NEW_VHDX_LAYOUT = {
  logOffset: MIB,
  logLength: MIB,
  metadataOffset: 2 * MIB,
  metadataLength: MIB,
  batOffset: 3 * MIB,
} as const;

export interface CreateVhdxOptions {
  readonly path: string;
  readonly type: DiskType;
  /** Bytes. Differencing disks take the parent's when it is left out. */
  readonly virtualSize?: number;
  /** Bytes; 32 MiB when left out, 2 MiB for differencing disks. */
  readonly blockSize?: number;
  readonly logicalSectorSize?: number;
  readonly physicalSectorSize?: number;
  /** Differencing disks need it. `path` is this machine's. */
  readonly parent?: { readonly path: string; readonly locators: VhdxParentLocators };
  /** GUID; a new one when it is left out. */
  readonly identifier?: string;
}

/**
 * Makes a VHDX. Fixed disks are sparse where the file system allows. Takes no longer for a large disk than for a
 * small one, fixed disks' tables aside.
 * @throws VhdError `VHD_EXISTS`, `VHD_INVALID_ARGUMENT`; what opening the parent throws. No file is left then.
 */
export async function createVhdx(options: CreateVhdxOptions): Promise<void> {
  const metadata = await planVhdx(options);
  await createWhole(options.path, (file) => writeVhdx(file, metadata));
}

/** {@link createVhdx} in a new file that is open already. */
export async function fillVhdx(file: RandomAccessFile, options: CreateVhdxOptions): Promise<void> {
  await writeVhdx(file, await planVhdx(options));
}

async function planVhdx(options: CreateVhdxOptions): Promise<VhdxMetadata> {
  const parent = await readParent(options);
  const plan = validateCreate({
    format: 'vhdx',
    type: options.type,
    virtualSize: options.virtualSize ?? parent?.metadata.virtualSize ?? 0,
    ...(options.blockSize === undefined ? {} : { blockSize: options.blockSize }),
    logicalSectorSize: options.logicalSectorSize ?? parent?.metadata.logicalSectorSize ?? 0,
    physicalSectorSize: options.physicalSectorSize ?? parent?.metadata.physicalSectorSize ?? 0,
  });
  if (parent !== undefined) checkAgainstParent(plan, parent.metadata);
  return {
    blockSize: plan.blockSize,
    leaveBlocksAllocated: plan.type === 'fixed',
    hasParent: parent !== undefined,
    virtualSize: plan.virtualSize,
    virtualDiskId: options.identifier === undefined ? newGuid() : normaliseGuid(options.identifier),
    logicalSectorSize: plan.logicalSectorSize,
    physicalSectorSize: plan.physicalSectorSize,
    ...(parent === undefined ? {} : { parentLocator: parent.locator }),
  };
}

interface ParentFacts {
  readonly metadata: VhdxMetadata;
  readonly locator: ParentLocator;
}

async function readParent(options: CreateVhdxOptions): Promise<ParentFacts | undefined> {
  if ((options.type === 'differencing') !== (options.parent !== undefined)) {
    throw new VhdError('VHD_INVALID_ARGUMENT', 'A differencing disk needs a parent, and no other has one.');
  }
  if (options.parent === undefined) return undefined;
  requirePaths(options.parent.locators);
  const file = await openFile(options.parent.path, 'read');
  try {
    const { current, metadata } = await readVhdx(file, 'view');
    const locator = locatorOf([current.header.dataWriteGuid], options.parent.locators);
    return { metadata, locator };
  } finally {
    await file.close();
  }
}

function checkAgainstParent(plan: CreatePlan, parent: VhdxMetadata): void {
  if (plan.logicalSectorSize !== parent.logicalSectorSize) {
    throw new VhdError(
      'VHD_INVALID_ARGUMENT',
      `The parent has sectors of ${parent.logicalSectorSize} bytes, so the child must have them too.`,
    );
  }
  if (plan.virtualSize < parent.virtualSize) {
    throw new VhdError(
      'VHD_INVALID_ARGUMENT',
      `The parent holds ${parent.virtualSize} bytes; the child cannot be smaller.`,
    );
  }
}

async function writeVhdx(file: RandomAccessFile, metadata: VhdxMetadata): Promise<void> {
  const layout = NEW_VHDX_LAYOUT;
  const batLength = batRegionLength(metadata);
  const dataOffset = layout.batOffset + batLength;
  const identifier = Buffer.alloc(520);
  identifier.write(VHDX_SIGNATURE, 0, 'latin1');
  identifier.write(CREATOR, 8, 'utf16le');
  await file.truncate(dataOffset);
  await file.write(identifier, 0);
  const header = {
    fileWriteGuid: newGuid(),
    dataWriteGuid: newGuid(),
    logGuid: ZERO_GUID,
    logLength: layout.logLength,
    logOffset: layout.logOffset,
  };
  for (const [slot, offset] of HEADER_OFFSETS.entries()) {
    await file.write(encodeHeader({ ...header, sequenceNumber: BigInt(slot) }), offset);
  }
  const table = encodeRegionTable([
    { guid: BAT_REGION, offset: layout.batOffset, length: batLength, required: true },
    { guid: METADATA_REGION, offset: layout.metadataOffset, length: layout.metadataLength, required: true },
  ]);
  for (const offset of REGION_TABLE_OFFSETS) await file.write(table, offset);
  await file.write(encodeMetadata(metadata, layout.metadataLength), layout.metadataOffset);
  if (metadata.leaveBlocksAllocated) await writeFixedTable(file, metadata, layout.batOffset, dataOffset);
}

/** All blocks of a fixed disk, one after the other. Written in pieces: the table of 64 TiB is large. */
async function writeFixedTable(
  file: RandomAccessFile,
  metadata: VhdxMetadata,
  batOffset: number,
  dataOffset: number,
): Promise<void> {
  const { blockSize } = metadata;
  const blocks = payloadBlockCount(metadata);
  const ratio = chunkRatio(metadata);
  await file.truncate(dataOffset + blocks * blockSize);
  const entriesPerPiece = MIB / BAT_ENTRY_SIZE;
  const entries = batEntryCount(metadata);
  let block = 0;
  for (let first = 0; first < entries; first += entriesPerPiece) {
    const count = Math.min(entriesPerPiece, entries - first);
    const piece = Buffer.alloc(roundUp(count * BAT_ENTRY_SIZE, 4096));
    for (; block < blocks && payloadIndex(block, ratio) < first + count; block += 1) {
      const value = BigInt(dataOffset + block * blockSize) | BigInt(PAYLOAD.fullyPresent);
      piece.writeBigUInt64LE(value, (payloadIndex(block, ratio) - first) * BAT_ENTRY_SIZE);
    }
    await file.write(piece, batOffset + first * BAT_ENTRY_SIZE);
  }
}
