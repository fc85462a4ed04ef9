import type { MetadataWriter, SectorEdit } from './metadata-writer.js';

/** Sectors changed by one log entry while many entries of the table change. */
const SECTORS_PER_COMMIT = 64;

/** Collects edits that may become visible one by one, so that many share a log entry. */
export class EditBatch {
  readonly #writer: MetadataWriter;
  readonly #afterData: boolean;
  #edits: SectorEdit[] = [];
  #sectors = new Set<number>();

  /** `afterData` as for {@link MetadataWriter.commit}. */
  constructor(writer: MetadataWriter, afterData = false) {
    this.#writer = writer;
    this.#afterData = afterData;
  }

  /** Edits given at once stay in one log entry. */
  async add(edits: readonly SectorEdit[]): Promise<void> {
    const isFull = this.#sectors.size >= SECTORS_PER_COMMIT;
    if (isFull && edits.some(({ sectorOffset }) => !this.#sectors.has(sectorOffset))) await this.commit();
    for (const edit of edits) {
      this.#edits.push(edit);
      this.#sectors.add(edit.sectorOffset);
    }
  }

  async commit(): Promise<void> {
    if (this.#edits.length === 0) return;
    const edits = this.#edits;
    this.#edits = [];
    this.#sectors = new Set();
    await this.#writer.commit(edits, this.#afterData);
  }
}
