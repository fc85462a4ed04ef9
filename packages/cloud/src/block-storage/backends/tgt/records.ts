import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isUuid } from '../../../kernel/ids.js';
import { SECRETS_DIR, writeSecret } from '../../../kernel/secrets.js';

const FOLDER = 'volume-chap';

const RECORD = z.object({
  tid: z.int().min(1),
  username: z.string().min(1),
  password: z.string().min(12),
  isReadOnly: z.boolean(),
});

/** What stays of a volume's target as long as there is the volume. */
export interface TargetRecord {
  /** tgt makes the identifier by which hosts know the disk from it, so no other volume gets it. */
  readonly tid: number;
  /** CHAP. */
  readonly username: string;
  /** 16 characters: Microsoft's initiator takes 12 to 16. */
  readonly password: string;
  /** As it was attached last. */
  readonly isReadOnly: boolean;
}

const randomText = (length: number): string => {
  const text = randomBytes(length)
    .toString('base64')
    .replaceAll(/[^A-Za-z0-9]/g, '');
  return text.length < length ? randomText(length) : text.slice(0, length);
};

/** The records of all volumes, one file each (0600) among the cloud's secrets. */
export class TargetRecords {
  readonly #folder: string;
  readonly #records = new Map<string, TargetRecord>();

  constructor(stateDir: string) {
    this.#folder = join(stateDir, SECRETS_DIR, FOLDER);
  }

  /** Reads what is there; removes those of volumes that are not known. */
  async load(volumeIds: ReadonlySet<string>): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#folder)) {
      if (!volumeIds.has(name)) {
        await rm(join(this.#folder, name), { force: true });
        continue;
      }
      const text = await readFile(join(this.#folder, name), 'utf8');
      this.#records.set(name, RECORD.parse(JSON.parse(text)));
    }
  }

  find(volumeId: string): TargetRecord | undefined {
    return this.#records.get(volumeId);
  }

  /** @param isReadOnly when it is to be attached anew. */
  async findOrMake(volumeId: string, isReadOnly?: boolean): Promise<TargetRecord> {
    const found = this.#records.get(volumeId);
    if (found !== undefined && found.isReadOnly === (isReadOnly ?? found.isReadOnly)) return found;
    const highest = Math.max(0, ...[...this.#records.values()].map(({ tid }) => tid));
    const made = { tid: highest + 1, username: randomText(20), password: randomText(16) };
    const record = { ...(found ?? made), isReadOnly: isReadOnly ?? false };
    await writeSecret(this.#path(volumeId), `${JSON.stringify(record)}\n`);
    this.#records.set(volumeId, record);
    return record;
  }

  async remove(volumeId: string): Promise<void> {
    await rm(this.#path(volumeId), { force: true });
    this.#records.delete(volumeId);
  }

  #path(volumeId: string): string {
    if (!isUuid(volumeId)) throw new RangeError(`Not the identifier of a volume: ${volumeId}`);
    return join(this.#folder, volumeId);
  }
}
