import { guidToBytes, newGuid } from '../bytes/guid.js';
import { VhdError } from '../errors.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import { readExact } from '../io/random-access-file.js';
import type { ItemName, MetadataEntry } from './metadata.js';
import { isEntryOf, METADATA_TABLE_SIZE, metadataEntries, word } from './metadata.js';
import { bytesEdits, MetadataWriter } from './metadata-writer.js';
import type { ParentLocator } from './parent-locator.js';
import { encodeParentLocator } from './parent-locator.js';
import type { Region } from './region-table.js';
import { readVhdx } from './vhdx-file.js';

/** What of a VHDX's metadata can be changed after its making, besides its size. */
export interface MetadataChanges {
  /** GUID. */
  readonly virtualDiskId?: string;
  /** Bytes. */
  readonly physicalSectorSize?: number;
  /** For differencing disks. */
  readonly parentLocator?: ParentLocator;
}

interface ItemEdit {
  readonly offset: number;
  readonly bytes: Buffer;
}

/**
 * Changes metadata of a VHDX that nobody has open, all of it or none. A log that holds changes is replayed first.
 * @throws VhdError `VHD_INVALID_ARGUMENT` when a parent locator is too long for the file.
 */
export async function editMetadata(file: RandomAccessFile, changes: MetadataChanges): Promise<void> {
  const { current, regions } = await readVhdx(file, 'replay');
  const region = regions.metadata;
  const table = await readExact(file, region.offset, METADATA_TABLE_SIZE, 'the metadata table');
  const edits = planEdits(metadataEntries(table), changes, region, file.path);
  const size = await file.size();
  const writer = new MetadataWriter(file, current, () => size);
  await writer.updateHeader({ fileWriteGuid: newGuid() });
  await writer.commit(edits.flatMap(({ offset, bytes }) => bytesEdits(region.offset + offset, bytes)));
  await writer.close();
}

function planEdits(
  entries: readonly MetadataEntry[],
  changes: MetadataChanges,
  region: Region,
  path: string,
): readonly ItemEdit[] {
  const edits: ItemEdit[] = [];
  const put = (name: ItemName, bytes: Buffer): void => {
    const entry = entries.find((each) => isEntryOf(name, each));
    if (entry === undefined) {
      throw new VhdError('VHD_INVALID_ARGUMENT', `${path} has no ${name} to change.`, { path });
    }
    const offset = bytes.length <= entry.length ? entry.offset : findRoom(entries, entry, bytes, region);
    if (offset === undefined) {
      throw new VhdError(
        'VHD_INVALID_ARGUMENT',
        `${path}: its metadata region has no room for ${bytes.length} bytes of ${name}.`,
        { path },
      );
    }
    const place = Buffer.alloc(8);
    place.writeUInt32LE(offset, 0);
    place.writeUInt32LE(bytes.length, 4);
    edits.push({ offset, bytes }, { offset: entry.at + 16, bytes: place });
  };
  if (changes.virtualDiskId !== undefined) put('virtualDiskId', guidToBytes(changes.virtualDiskId));
  if (changes.physicalSectorSize !== undefined) put('physicalSectorSize', word(changes.physicalSectorSize));
  if (changes.parentLocator !== undefined) put('parentLocator', encodeParentLocator(changes.parentLocator));
  return edits;
}

/** Where a longer item may go: where it is, or behind all others. */
function findRoom(
  entries: readonly MetadataEntry[],
  own: MetadataEntry,
  bytes: Buffer,
  region: Region,
): number | undefined {
  const others = entries.filter((each) => each !== own && each.length > 0);
  const candidates = [
    own.offset,
    Math.max(METADATA_TABLE_SIZE, ...others.map((each) => each.offset + each.length)),
  ];
  return candidates.find((start) => {
    const end = start + bytes.length;
    const isFree = others.every((each) => each.offset >= end || each.offset + each.length <= start);
    return isFree && end <= region.length;
  });
}
