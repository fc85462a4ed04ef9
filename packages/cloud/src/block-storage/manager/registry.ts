import type { Logger } from 'pino';
import { ApiError } from '../../kernel/errors.js';
import type { BackendStats, VolumeBackend } from '../backends/backend.js';
import type { VolumeRow } from '../tables.js';

type Known = Parameters<VolumeBackend['start']>[0];

export interface BackendEntry {
  readonly backend: VolumeBackend;
  /** `hostname@smb`: host of its cinder-volume service. */
  readonly serviceHost: string;
  /** `hostname@smb#smb`: host of its volumes, and name of its pool. */
  readonly host: string;
}

/** The back ends of this machine; one that could not start serves nothing, the others do. */
export class BackendRegistry {
  readonly entries: readonly BackendEntry[];
  readonly #up = new Set<string>();
  readonly #log: Logger;

  constructor(backends: readonly VolumeBackend[], hostname: string, log: Logger) {
    this.#log = log;
    this.entries = backends.map((backend) => {
      const serviceHost = `${hostname}@${backend.name}`;
      return { backend, serviceHost, host: `${serviceHost}#${backend.name}` };
    });
  }

  isUp(entry: BackendEntry): boolean {
    return this.#up.has(entry.host);
  }

  /** By the host of a volume. The machine's name may have changed since: the back end's name counts. */
  entryOf(host: string): BackendEntry | undefined {
    const name = host.split('#').at(-1);
    return this.entries.find(({ backend }) => backend.name === name);
  }

  /** The back end of a volume that is scheduled. @throws ApiError 503 when it does not serve */
  of(volume: Pick<VolumeRow, 'host'>): VolumeBackend {
    const entry = volume.host === null ? undefined : this.entryOf(volume.host);
    if (entry === undefined || !this.isUp(entry)) {
      throw new ApiError(
        503,
        `The back end of the volume (${volume.host ?? 'none'}) does not serve at this time.`,
      );
    }
    return entry.backend;
  }

  async start(knownOf: (entry: BackendEntry) => Promise<Known>): Promise<void> {
    await Promise.all(
      this.entries.map(async (entry) => {
        try {
          await entry.backend.start(await knownOf(entry));
          this.#up.add(entry.host);
        } catch (error) {
          this.#log.error({ err: error, backend: entry.backend.name }, 'a back end of volumes did not start');
        }
      }),
    );
  }

  async stop(): Promise<void> {
    for (const entry of this.entries.filter((each) => this.isUp(each))) {
      this.#up.delete(entry.host);
      try {
        await entry.backend.stop();
      } catch (error) {
        this.#log.error({ err: error, backend: entry.backend.name }, 'a back end of volumes did not stop');
      }
    }
  }

  /** Of those that serve and tell; the others get no new volumes. */
  async stats(): Promise<readonly (BackendEntry & { readonly stats: BackendStats })[]> {
    const up = this.entries.filter((entry) => this.isUp(entry));
    const told = await Promise.all(
      up.map(async (entry) => {
        try {
          return [{ ...entry, stats: await entry.backend.stats() }];
        } catch (error) {
          this.#log.error(
            { err: error, backend: entry.backend.name },
            'a back end of volumes does not tell its room',
          );
          return [];
        }
      }),
    );
    return told.flat();
  }
}
