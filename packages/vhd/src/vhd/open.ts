import type { Disk } from '../disk.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import type { OpenParent } from '../open.js';
import { FixedVhdDisk } from './fixed-disk.js';
import { mergedIdentifier } from './relink.js';
import { readTable, SparseVhdDisk } from './sparse-disk.js';
import { readVhd } from './vhd-file.js';

export async function openVhd(
  file: RandomAccessFile,
  readOnly: boolean,
  openParent: OpenParent,
): Promise<Disk> {
  const contents = await readVhd(file);
  const { header, footer } = contents;
  if (header === undefined) return new FixedVhdDisk(file, contents, readOnly);
  const table = await readTable(file, header, Math.ceil(footer.currentSize / header.blockSize));
  const parent =
    footer.type === 'differencing'
      ? await openParent(contents.parentPaths, [
          header.parent.uniqueId,
          mergedIdentifier(header.parent.uniqueId, footer.uniqueId),
        ])
      : undefined;
  return new SparseVhdDisk(file, { ...contents, header }, table, readOnly, parent);
}
