import { createHash } from 'node:crypto';
import { uuidFromBytes, uuidToBytes } from '../bytes/guid.js';
import { roundUp } from '../bytes/integers.js';
import { VhdError } from '../errors.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import type { VhdParentPaths } from './create.js';
import { locatorPaths, parentFields, writeLocators } from './create.js';
import { encodeDynamicHeader } from './dynamic-header.js';
import { encodeFooter, FOOTER_SIZE } from './footer.js';
import { readVhd } from './vhd-file.js';

/**
 * The unique id that a parent gets when this child is merged into it. A child's header has room for one identifier
 * only, and the merge can be cut off at any moment; so a child takes its parent for the right one under both, the
 * stored one and this, which no other child of the parent expects.
 */
export function mergedIdentifier(parentIdentifier: string, childIdentifier: string): string {
  const hash = createHash('sha1').update(uuidToBytes(parentIdentifier)).update(uuidToBytes(childIdentifier));
  const bytes = hash.digest().subarray(0, 16);
  // RFC 9562, UUID version 5: made from names.
  bytes[6] = (bytes.readUInt8(6) & 0x0f) | 0x50;
  bytes[8] = (bytes.readUInt8(8) & 0x3f) | 0x80;
  return uuidFromBytes(bytes);
}

/**
 * Writes what a differencing VHD says of its parent. New paths go behind the last block, where nothing is yet; then
 * the header, in one write, points to them.
 * @param paths undefined: they stay as they are. `parentPath` is the parent on this machine.
 */
export async function relinkVhd(
  file: RandomAccessFile,
  uniqueId: string,
  moved?: { readonly parentPath: string; readonly paths: VhdParentPaths },
): Promise<void> {
  const { header, footer, footerOffset } = await readVhd(file);
  if (header === undefined || footer.type !== 'differencing') {
    throw new VhdError('VHD_INVALID_ARGUMENT', `${file.path} is no differencing disk.`, { path: file.path });
  }
  let parent = { ...header.parent, uniqueId };
  if (moved !== undefined) {
    const paths = locatorPaths(moved.paths);
    const start = roundUp(footerOffset, FOOTER_SIZE);
    const space = paths.reduce((sum, { data }) => sum + roundUp(data.length, FOOTER_SIZE), 0);
    await file.write(encodeFooter(footer), start + space);
    await file.sync();
    const locators = await writeLocators(file, paths, start);
    await file.sync();
    parent = { ...(await parentFields(moved.parentPath, uniqueId, moved.paths)), locators };
  }
  await file.write(encodeDynamicHeader({ ...header, parent }), footer.dataOffset ?? FOOTER_SIZE);
  await file.sync();
}
