import { MIB } from '../bytes/integers.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import { corrupt } from '../io/random-access-file.js';
import type { BlockTable } from './block-table.js';
import type { MetadataWriter, SectorEdit } from './metadata-writer.js';
import { bytesEdits } from './metadata-writer.js';
import type { Region } from './region-table.js';
import { BAT_REGION, encodeRegionTable, REGION_TABLE_OFFSETS } from './region-table.js';
import type { VhdxContents } from './vhdx-file.js';

/** Copies the block allocation table to where nothing refers to yet. What was logged must be in its place. */
export async function copyTable(file: RandomAccessFile, old: Region, offset: number): Promise<void> {
  const piece = Buffer.alloc(MIB);
  for (let done = 0; done < old.length; done += piece.length) {
    const got = await file.read(piece, old.offset + done);
    if (got !== piece.length) throw corrupt(file.path, old.offset + done, 'the file ends inside the table');
    await file.write(piece, offset + done);
  }
  await file.sync();
}

/** The contents with the table elsewhere, and the edits that say so in the file. */
export function withTableAt(
  contents: VhdxContents,
  bat: Region,
): { contents: VhdxContents; edits: readonly SectorEdit[] } {
  const all = contents.regions.all.map((region) => (region.guid === BAT_REGION ? bat : region));
  const bytes = encodeRegionTable(all);
  return {
    contents: { ...contents, regions: { ...contents.regions, all, bat } },
    edits: REGION_TABLE_OFFSETS.flatMap((offset) => bytesEdits(offset, bytes)),
  };
}

/** Moves the table as it is. The log must be empty. @returns the contents as they are now. */
export async function moveTable(
  {
    file,
    writer,
    table,
    contents,
  }: {
    readonly file: RandomAccessFile;
    readonly writer: MetadataWriter;
    readonly table: BlockTable;
    readonly contents: VhdxContents;
  },
  offset: number,
): Promise<VhdxContents> {
  await copyTable(file, contents.regions.bat, offset);
  const moved = withTableAt(contents, { ...contents.regions.bat, offset });
  await writer.commit(moved.edits);
  table.regionOffset = offset;
  return moved.contents;
}
