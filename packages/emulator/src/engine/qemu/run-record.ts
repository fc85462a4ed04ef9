import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { MachineConfig } from '../engine.js';
import { readJsonFile, writeJsonFile } from '../json-file.js';
import { isMachineId } from '../machine-locks.js';
import type { ProcessIdentity } from './process.js';

const FORMAT = 1;

/** What the next process must know of a machine to take it over. */
export interface RunRecord {
  readonly format: typeof FORMAT;
  /** `starting`: its processors may not have run yet; such a machine is turned off by the next process. */
  readonly phase: 'starting' | 'running';
  readonly runFolder: string;
  readonly process?: ProcessIdentity;
  /** Of its TPM. */
  readonly tpm?: ProcessIdentity;
  /** ISO 8601. */
  readonly startedAt: string;
  /** As it is now, what was hot-plugged included. */
  readonly config: MachineConfig;
  /** Set while the machine stands still because its drives are given other files: how it is to go on. */
  readonly switching?: 'running' | 'paused' | undefined;
  /** PCI sockets of network adapters by their ids (generation 2). */
  readonly nicSockets: Readonly<Record<string, number>>;
}

/** The folders of machines below the state folder, and the records of those that run. */
export class RunRecords {
  readonly #folder: string;

  constructor(stateDir: string) {
    this.#folder = path.join(stateDir, 'machines');
  }

  /** The machine's folder. The id was checked by the caller. */
  folder(machineId: string): string {
    return path.join(this.#folder, machineId);
  }

  async makeFolder(machineId: string): Promise<string> {
    const folder = this.folder(machineId);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return folder;
  }

  async write(machineId: string, record: Omit<RunRecord, 'format'>): Promise<void> {
    await writeJsonFile(this.#file(machineId), { format: FORMAT, ...record });
  }

  async remove(machineId: string): Promise<void> {
    await rm(this.#file(machineId), { force: true });
  }

  /** Records of machines that ran when they were last written; what cannot be read is taken for none. */
  async all(): Promise<readonly { readonly machineId: string; readonly record: RunRecord }[]> {
    const names = await readdir(this.#folder).catch(() => []);
    const records = await Promise.all(
      names
        .filter(isMachineId)
        .map(async (machineId) => ({ machineId, record: await readJsonFile(this.#file(machineId)) })),
    );
    return records.filter((each): each is { machineId: string; record: RunRecord } => isRecord(each.record));
  }

  #file(machineId: string): string {
    return path.join(this.folder(machineId), 'run.json');
  }
}

function isRecord(content: unknown): content is RunRecord {
  if (typeof content !== 'object' || content === null) return false;
  const record = content as Partial<Record<keyof RunRecord, unknown>>;
  return (
    record.format === FORMAT &&
    (record.phase === 'starting' || record.phase === 'running') &&
    typeof record.runFolder === 'string' &&
    typeof record.startedAt === 'string' &&
    typeof record.config === 'object' &&
    typeof record.nicSockets === 'object'
  );
}
