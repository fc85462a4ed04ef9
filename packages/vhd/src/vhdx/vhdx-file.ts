import { VhdError } from '../errors.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import { corrupt, readExact } from '../io/random-access-file.js';
import { BAT_ENTRY_SIZE, batEntryCount } from './block-geometry.js';
import type { CurrentHeader } from './header.js';
import { readCurrentHeader } from './header.js';
import { findActiveLog, ReplayedView, replayLog } from './log-replay.js';
import type { MetadataPlaces, VhdxMetadata } from './metadata.js';
import { readMetadata } from './metadata.js';
import type { Regions } from './region-table.js';
import { readRegions } from './region-table.js';

/** MS-VHDX 2.2.1. */
export const VHDX_SIGNATURE = 'vhdxfile';

/** Everything that a VHDX says of itself, checked. */
export interface VhdxContents {
  readonly current: CurrentHeader;
  readonly regions: Regions;
  readonly metadata: VhdxMetadata;
  readonly places: MetadataPlaces;
}

/**
 * What to do with a log that holds changes: `replay` brings them into the file (which must be writable), `refuse`
 * throws `VHD_LOG_NEEDS_REPLAY`, `view` reads as if they were there.
 */
export type LogHandling = 'replay' | 'refuse' | 'view';

/**
 * Reads the file's structures.
 * @throws VhdError `VHD_UNKNOWN_FORMAT`, `VHD_CORRUPT`, `VHD_UNSUPPORTED`, `VHD_LOG_NEEDS_REPLAY`
 */
export async function readVhdx(file: RandomAccessFile, handling: LogHandling): Promise<VhdxContents> {
  const signature = await readExact(file, 0, 8, 'the file type identifier');
  if (signature.toString('latin1') !== VHDX_SIGNATURE) {
    throw new VhdError('VHD_UNKNOWN_FORMAT', `${file.path} is not a VHDX file.`, {
      path: file.path,
      offset: 0,
    });
  }
  let current = await readCurrentHeader(file);
  const log = await findActiveLog(file, current.header);
  let view: RandomAccessFile = file;
  if (log !== undefined) {
    if (handling === 'refuse') {
      throw new VhdError(
        'VHD_LOG_NEEDS_REPLAY',
        `${file.path} was not closed properly: its log must be replayed. Open it writable once to do so.`,
        { path: file.path, offset: current.header.logOffset },
      );
    }
    if (handling === 'replay') current = await replayLog(file, current, log);
    else view = new ReplayedView(file, log);
  }
  const regions = await readRegions(view);
  const { metadata, places } = await readMetadata(view, regions.metadata);
  if (batEntryCount(metadata) * BAT_ENTRY_SIZE > regions.bat.length) {
    throw corrupt(
      file.path,
      regions.bat.offset,
      `the block allocation table is too small for ${metadata.virtualSize} bytes`,
    );
  }
  if (regions.bat.offset + regions.bat.length > (await view.size())) {
    throw corrupt(file.path, regions.bat.offset, 'the file ends inside the block allocation table');
  }
  return { current, regions, metadata, places };
}
