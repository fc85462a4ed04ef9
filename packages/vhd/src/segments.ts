import type { Disk, Extent } from './disk.js';
import type { RandomAccessFile } from './io/random-access-file.js';
import { corrupt } from './io/random-access-file.js';

/** A part of the virtual disk and where its bytes are. `fileOffset` counts for `data` only. */
export interface Segment {
  readonly kind: Extent['state'];
  readonly offset: number;
  readonly length: number;
  readonly fileOffset: number;
}

/** Collects segments in order and joins neighbours, so that one read serves what lies together. */
export class SegmentList {
  readonly #segments: Segment[] = [];

  add(kind: Extent['state'], offset: number, length: number, fileOffset = 0): void {
    const last = this.#segments.at(-1);
    const joins =
      last !== undefined &&
      last.kind === kind &&
      (kind !== 'data' || last.fileOffset + last.length === fileOffset);
    if (joins) this.#segments[this.#segments.length - 1] = { ...last, length: last.length + length };
    else this.#segments.push({ kind, offset, length, fileOffset });
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }
}

/** Fills `target`, whose first byte is the virtual offset `base`, from the segments that cover it. */
export async function readSegments(
  file: RandomAccessFile,
  parent: Disk | undefined,
  segments: readonly Segment[],
  target: Uint8Array,
  base: number,
): Promise<void> {
  for (const segment of segments) {
    const from = segment.offset - base;
    const part = target.subarray(from, from + segment.length);
    if (segment.kind === 'data') {
      const got = await file.read(part, segment.fileOffset);
      if (got !== part.length)
        throw corrupt(file.path, segment.fileOffset + got, 'the file ends inside a block');
    } else if (segment.kind === 'zero' || parent === undefined) part.fill(0);
    else await readParent(parent, part, segment.offset);
  }
}

/** A child may be larger than its parent; past the parent's end there are zeros. */
async function readParent(parent: Disk, target: Uint8Array, offset: number): Promise<void> {
  const inside = Math.max(0, Math.min(target.length, parent.virtualSize - offset));
  if (inside > 0) await parent.read(target.subarray(0, inside), offset);
  target.fill(0, inside);
}

/**
 * Like `disk.extents`, seen through the whole chain: only `data` and `zero` are left.
 */
export function flattenedExtents(disk: Disk, offset: number, length: number): Promise<readonly Extent[]> {
  return extentsAbove(disk, undefined, offset, length);
}

/**
 * Like {@link flattenedExtents} for the part of a chain that stands on `bottom`: what that disk shows, or what is past
 * its end, is told as `parent`.
 */
export async function extentsAbove(
  disk: Disk,
  bottom: Disk | undefined,
  offset: number,
  length: number,
): Promise<readonly Extent[]> {
  const list = new SegmentList();
  for (const extent of await disk.extents(offset, length)) {
    const parent = disk.parent;
    if (extent.state !== 'parent' || parent === bottom) {
      const state = parent === undefined && extent.state === 'parent' ? 'zero' : extent.state;
      addExtent(list, state, extent.offset, extent.length);
      continue;
    }
    const inside = Math.max(0, Math.min(extent.length, (parent?.virtualSize ?? 0) - extent.offset));
    if (parent !== undefined && inside > 0) {
      for (const below of await extentsAbove(parent, bottom, extent.offset, inside)) {
        addExtent(list, below.state, below.offset, below.length);
      }
    }
    if (inside < extent.length) addExtent(list, 'zero', extent.offset + inside, extent.length - inside);
  }
  return list.segments.map(({ kind, offset: start, length: size }) => ({
    offset: start,
    length: size,
    state: kind,
  }));
}

/** Extents have no place in a file: giving the virtual offset joins all neighbours of one kind. */
function addExtent(list: SegmentList, state: Extent['state'], offset: number, length: number): void {
  list.add(state, offset, length, offset);
}
