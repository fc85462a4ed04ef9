import type { DiskInfo } from './disk.js';
import { VhdError } from './errors.js';
import type { RandomAccessFile } from './io/random-access-file.js';
import { openFile } from './io/random-access-file.js';
import { unknownFormat } from './open.js';
import { recognise } from './recognise.js';
import { readVhd } from './vhd/vhd-file.js';
import { parentLinkages } from './vhdx/metadata.js';
import { locatorPaths } from './vhdx/open.js';
import { diskTypeOf } from './vhdx/vhdx-disk.js';
import { readVhdx } from './vhdx/vhdx-file.js';

/** The structures of a disk in use may change between two reads of them; a damaged disk is so each time. */
const ATTEMPTS = 3;

/**
 * Reads what a VHD or VHDX says of itself and checks that it holds together, without reading its data, its table of
 * blocks or its parents, and without changing it: a VHDX whose log was not replayed is read as if it had been.
 * @throws VhdError `VHD_UNKNOWN_FORMAT` (says what it is instead), `VHD_CORRUPT`, `VHD_UNSUPPORTED`
 */
export async function inspect(path: string): Promise<DiskInfo> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await inspectOnce(path);
    } catch (error) {
      const isDamaged = error instanceof VhdError && error.code === 'VHD_CORRUPT';
      if (!isDamaged || attempt === ATTEMPTS) throw error;
    }
  }
}

async function inspectOnce(path: string): Promise<DiskInfo> {
  const file = await openFile(path, 'read');
  try {
    const { format } = await recognise(file);
    if (format === 'vhdx') return await inspectVhdx(file);
    if (format === 'vhd') return await inspectVhd(file);
    throw unknownFormat(path, format);
  } finally {
    await file.close();
  }
}

async function inspectVhdx(file: RandomAccessFile): Promise<DiskInfo> {
  const { metadata, current, regions } = await readVhdx(file, 'view');
  const locator = metadata.parentLocator;
  const [parentIdentifier] = locator === undefined ? [] : parentLinkages(locator, file.path);
  return {
    path: file.path,
    format: 'vhdx',
    type: diskTypeOf(metadata),
    virtualSize: metadata.virtualSize,
    fileSize: await file.size(),
    blockSize: metadata.blockSize,
    logicalSectorSize: metadata.logicalSectorSize,
    physicalSectorSize: metadata.physicalSectorSize,
    identifier: metadata.virtualDiskId,
    dataWriteIdentifier: current.header.dataWriteGuid,
    logLength: current.header.logLength,
    metadataLength: regions.metadata.length,
    ...(locator === undefined || parentIdentifier === undefined
      ? {}
      : { parent: { identifier: parentIdentifier, paths: locatorPaths(locator) } }),
  };
}

async function inspectVhd(file: RandomAccessFile): Promise<DiskInfo> {
  const { footer, header, parentPaths } = await readVhd(file);
  return {
    path: file.path,
    format: 'vhd',
    type: footer.type,
    virtualSize: footer.currentSize,
    fileSize: await file.size(),
    blockSize: header?.blockSize ?? 0,
    logicalSectorSize: 512,
    physicalSectorSize: 512,
    identifier: footer.uniqueId,
    ...(footer.type === 'differencing' && header !== undefined
      ? { parent: { identifier: header.parent.uniqueId, paths: parentPaths } }
      : {}),
  };
}
