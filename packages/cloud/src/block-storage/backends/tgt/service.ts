import { mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { KeyedLock } from '../../../kernel/keyed-lock.js';
import { writeSecret } from '../../../kernel/secrets.js';
import { BackendError } from '../backend.js';
import { type Export, Exports } from './exports.js';
import { endTgtd, findTgtd, isRunning, portalsOf, startTgtd, type Tgtd } from './process.js';

const WATCH_MS = 2_000;

export interface TargetServiceOptions {
  readonly program: string;
  /** Working directory of tgtd. */
  readonly folder: string;
  readonly address: string;
  /** A free one is chosen, and kept, when it is left out. */
  readonly port?: number;
  readonly log: Logger;
}

/**
 * The tgtd of a cloud. It outlives the process that started it, so that guests keep their disks while the cloud is started anew; the next one
 * finds it. When it ends by itself, another takes its place and serves the same.
 */
export class TargetService {
  readonly #options: TargetServiceOptions;
  readonly #lock = new KeyedLock();
  readonly #exports = new Exports(() => this.#running().socket);
  #wanted: () => readonly Export[] = () => [];
  #tgtd: Tgtd | undefined;
  #portal = '';
  #watch: NodeJS.Timeout | undefined;

  constructor(options: TargetServiceOptions) {
    this.#options = options;
  }

  /** `127.0.0.1:3260` */
  get portal(): string {
    return this.#portal;
  }

  /**
   * Finds tgtd, or starts it where something is to be served at once; else it is started when it is needed.
   * @param wanted what is to be served, now and whenever tgtd is started anew.
   */
  async start(wanted: () => readonly Export[]): Promise<void> {
    this.#wanted = wanted;
    await this.#once(async () => {
      if (wanted().length > 0 || (await findTgtd(this.#options.folder)) !== undefined) await this.#serve();
    });
    this.#watch = setInterval(() => {
      void this.#once(() => this.#heal()).catch((error: unknown) =>
        this.#options.log.error({ err: error }, 'tgtd ended and could not be started again'),
      );
    }, WATCH_MS);
    this.#watch.unref();
  }

  /** tgtd goes on where somebody uses it; `endTgtd` ends it. */
  async stop(): Promise<void> {
    clearInterval(this.#watch);
    await this.#once(async () => {
      if (this.#tgtd !== undefined && this.#wanted().length === 0) await endTgtd(this.#options.folder);
      this.#tgtd = undefined;
    });
  }

  /** Makes everything as it is wanted, with a new tgtd where the old one cannot be used any more. */
  repair(): Promise<void> {
    return this.#once(() => this.#serve());
  }

  /** Works on the exports, alone. */
  use<T>(work: (exports: Exports) => Promise<T>): Promise<T> {
    return this.#once(async () => {
      if (this.#tgtd === undefined) await this.#serve();
      return work(this.#exports);
    });
  }

  /** {@link use} for what there is nothing to do for when tgtd does not run. */
  async useRunning(work: (exports: Exports) => Promise<void>): Promise<void> {
    await this.#once(async () => {
      if (this.#tgtd !== undefined) await work(this.#exports);
    });
  }

  #once<T>(work: () => Promise<T>): Promise<T> {
    return this.#lock.run('tgtd', work);
  }

  #running(): Tgtd {
    if (this.#tgtd === undefined)
      throw new BackendError('FAILED', 'The iSCSI target service (tgtd) does not run; its log says why.');
    return this.#tgtd;
  }

  async #heal(): Promise<void> {
    if (this.#tgtd === undefined || (await isRunning(this.#tgtd, this.#options.folder))) return;
    this.#options.log.warn('tgtd ended; it is started again');
    await this.#serve();
  }

  async #serve(): Promise<void> {
    const { folder, address } = this.#options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const port = await this.#port();
    this.#portal = `${address}:${port}`;
    this.#tgtd = await this.#findOrStart(port);
    const wanted = this.#wanted();
    await this.#exports.keepOnly(new Set(wanted.map(({ iqn }) => iqn)));
    for (const each of wanted) await this.#exports.ensure(each);
  }

  async #findOrStart(port: number): Promise<Tgtd> {
    const { folder, program, address } = this.#options;
    const found = await findTgtd(folder);
    if (found !== undefined) {
      const portals = await portalsOf(found).catch(() => []);
      if (portals.length === 1 && portals[0] === this.#portal) return found;
      await endTgtd(folder);
    }
    await requireFree(address, port);
    return startTgtd({ program, folder, address, port });
  }

  /** Hosts are told it once, so it stays. */
  async #port(): Promise<number> {
    if (this.#options.port !== undefined) return this.#options.port;
    const path = join(this.#options.folder, 'port');
    const kept = Number(await readFile(path, 'utf8').catch(() => ''));
    if (Number.isInteger(kept) && kept > 0 && kept < 65_536) return kept;
    const port = await portOf(this.#options.address, 0);
    await writeSecret(path, `${port}\n`);
    return port;
  }
}

/** Listens for a moment. @returns the port; 0 chooses one. */
async function portOf(address: string, port: number): Promise<number> {
  const server = createServer().listen(port, address);
  await once(server, 'listening');
  const bound = server.address();
  server.close();
  await once(server, 'close');
  if (bound === null || typeof bound === 'string') throw new Error('no port');
  return bound.port;
}

/** tgtd would listen at its standard port in place of one that is taken. */
async function requireFree(address: string, port: number): Promise<void> {
  try {
    await portOf(address, port);
  } catch (error) {
    throw new BackendError(
      'FAILED',
      `The iSCSI port ${address}:${port} cannot be used; end what listens there, or choose another port.`,
      { cause: error },
    );
  }
}
