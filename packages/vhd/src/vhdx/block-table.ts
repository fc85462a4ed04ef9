import { MIB } from '../bytes/integers.js';
import { corrupt } from '../io/random-access-file.js';
import { BAT_ENTRY_SIZE, bitmapIndex, BITMAP_BLOCK_SIZE, payloadIndex } from './block-geometry.js';
import { LOG_SECTOR } from './log-entry.js';
import type { SectorEdit } from './metadata-writer.js';
import type { SectorSource } from './sector-cache.js';

/** MS-VHDX 2.5.1.1. */
export const PAYLOAD = {
  notPresent: 0,
  undefined: 1,
  zero: 2,
  unmapped: 3,
  fullyPresent: 6,
  partiallyPresent: 7,
} as const;
/** MS-VHDX 2.5.1.2. */
export const BITMAP_PRESENT = 6;

export interface BatEntry {
  readonly state: number;
  /** Bytes; a multiple of 1 MiB. */
  readonly fileOffset: number;
}

/** Whether the block has a place in the file. */
export function hasSpace(entry: BatEntry): boolean {
  return entry.state === PAYLOAD.fullyPresent || entry.state === PAYLOAD.partiallyPresent;
}

/** Looks up entries of the block allocation table, and makes the edits that change them. */
export class BlockTable {
  readonly #source: SectorSource;
  readonly #path: string;
  readonly #blockSize: number;
  readonly #ratio: number;
  /** Offset of the table in the file; moves when the table is moved to grow. */
  regionOffset: number;

  constructor(source: SectorSource, path: string, regionOffset: number, blockSize: number, ratio: number) {
    this.#source = source;
    this.#path = path;
    this.regionOffset = regionOffset;
    this.#blockSize = blockSize;
    this.#ratio = ratio;
  }

  /**
   * @param fileSize length of the file, which a present block must lie in.
   * @throws VhdError `VHD_CORRUPT` for a state that does not exist or a block outside the file.
   */
  payload(block: number, fileSize: number): BatEntry | Promise<BatEntry> {
    const place = this.regionOffset + payloadIndex(block, this.#ratio) * BAT_ENTRY_SIZE;
    const sector = this.#source.peek(place - (place % LOG_SECTOR));
    if (sector !== undefined)
      return this.#checkedPayload(decodeBatEntry(sector, place % LOG_SECTOR), place, fileSize);
    return this.#source
      .load(place - (place % LOG_SECTOR))
      .then((loaded) => this.#checkedPayload(decodeBatEntry(loaded, place % LOG_SECTOR), place, fileSize));
  }

  #checkedPayload(entry: BatEntry, place: number, fileSize: number): BatEntry {
    const { state } = entry;
    if (hasSpace(entry)) {
      this.#checkPlace(entry, this.#blockSize, place, fileSize);
    } else if (state > PAYLOAD.unmapped) {
      throw corrupt(this.#path, place, `a block has the state ${state}, which does not exist`);
    }
    return entry;
  }

  /** The file offset of a chunk's sector bitmap block; undefined when it has none. */
  async bitmapBlock(chunk: number, fileSize: number): Promise<number | undefined> {
    const place = this.regionOffset + bitmapIndex(chunk, this.#ratio) * BAT_ENTRY_SIZE;
    const sectorOffset = place - (place % LOG_SECTOR);
    const sector = this.#source.peek(sectorOffset) ?? (await this.#source.load(sectorOffset));
    const entry = decodeBatEntry(sector, place % LOG_SECTOR);
    if (entry.state === 0) return undefined;
    if (entry.state !== BITMAP_PRESENT) {
      throw corrupt(this.#path, place, `a sector bitmap has the state ${entry.state}, which does not exist`);
    }
    this.#checkPlace(entry, BITMAP_BLOCK_SIZE, place, fileSize);
    return entry.fileOffset;
  }

  #checkPlace(entry: BatEntry, length: number, place: number, fileSize: number): void {
    if (entry.fileOffset < MIB || entry.fileOffset + length > fileSize) {
      throw corrupt(
        this.#path,
        place,
        `a block is said to lie at ${entry.fileOffset}, length ${length}, in a file of ${fileSize} bytes`,
      );
    }
  }

  payloadEdit(block: number, entry: BatEntry): SectorEdit {
    return this.#edit(payloadIndex(block, this.#ratio), entry);
  }

  bitmapEdit(chunk: number, fileOffset: number): SectorEdit {
    return this.#edit(bitmapIndex(chunk, this.#ratio), { state: BITMAP_PRESENT, fileOffset });
  }

  bitmapRemoval(chunk: number): SectorEdit {
    return this.#edit(bitmapIndex(chunk, this.#ratio), { state: 0, fileOffset: 0 });
  }

  #edit(index: number, entry: BatEntry): SectorEdit {
    const place = this.regionOffset + index * BAT_ENTRY_SIZE;
    return {
      sectorOffset: place - (place % LOG_SECTOR),
      apply: (sector) => encode(sector, place % LOG_SECTOR, entry),
    };
  }
}

/** State in bits 0 to 2, the file offset's mebibytes in bits 20 to 63: masked, it is the offset itself. */
export function decodeBatEntry(sector: Buffer, at: number): BatEntry {
  const low = sector.readUInt32LE(at);
  const high = sector.readUInt32LE(at + 4);
  return { state: low & 7, fileOffset: high * 2 ** 32 + ((low & 0xfff00000) >>> 0) };
}

function encode(sector: Buffer, at: number, entry: BatEntry): void {
  sector.writeUInt32LE(((entry.fileOffset % 2 ** 32) + entry.state) >>> 0, at);
  sector.writeUInt32LE(Math.floor(entry.fileOffset / 2 ** 32), at + 4);
}
