import { BITMAP_BLOCK_SIZE, chunkRatio, payloadBlockCount } from './block-geometry.js';
import type { BlockTable } from './block-table.js';
import { hasSpace } from './block-table.js';
import { EditBatch } from './edit-batch.js';
import type { FileSpace } from './file-space.js';
import { encodeVirtualSize } from './metadata.js';
import type { MetadataWriter } from './metadata-writer.js';
import { bytesEdits } from './metadata-writer.js';
import type { VhdxContents } from './vhdx-file.js';

export interface Shrinking {
  readonly writer: MetadataWriter;
  readonly table: BlockTable;
  readonly space: FileSpace;
  readonly contents: VhdxContents;
  readonly virtualSize: number;
}

/**
 * Makes a disk smaller on which nothing is being written. One log entry carries the new size: before it the disk is
 * whole, after it the blocks past the end count for nothing, whether their entries are cleared yet or not. Their space
 * is released.
 * @returns the contents as they are now.
 */
export async function shrinkTable({
  writer,
  table,
  space,
  contents,
  virtualSize,
}: Shrinking): Promise<VhdxContents> {
  const { metadata, places } = contents;
  const shrunk = { ...metadata, virtualSize };
  await writer.commit(bytesEdits(places.virtualSizeOffset, encodeVirtualSize(virtualSize)));
  const batch = new EditBatch(writer);
  const [first, end] = [payloadBlockCount(shrunk), payloadBlockCount(metadata)];
  for (let block = first; block < end; block += 1) {
    const entry = await table.payload(block, space.size);
    if (entry.state === 0 && entry.fileOffset === 0) continue;
    await batch.add([table.payloadEdit(block, { state: 0, fileOffset: 0 })]);
    if (hasSpace(entry)) space.release({ offset: entry.fileOffset, length: metadata.blockSize });
  }
  const ratio = chunkRatio(metadata);
  for (let chunk = Math.ceil(first / ratio); metadata.hasParent && chunk * ratio < end; chunk += 1) {
    const offset = await table.bitmapBlock(chunk, space.size);
    if (offset === undefined) continue;
    await batch.add([table.bitmapRemoval(chunk)]);
    space.release({ offset, length: BITMAP_BLOCK_SIZE });
  }
  await batch.commit();
  return { ...contents, metadata: shrunk };
}
