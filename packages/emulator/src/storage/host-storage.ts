import { statSync } from 'node:fs';
import type { Logger } from 'pino';
import { sameText } from '../cim.js';
import type { FibreChannelOption } from '../options.js';
import type { StateFiles } from '../state-files.js';
import { fibreUnits } from './fibre-channel.js';
import type { FoundUnit, HostDisk, UnitPath } from './host-disks.js';
import { disksOf, fibrePaths, rememberDisks, sessionPaths } from './host-disks.js';
import { readLogicalUnits } from './iscsi/logical-units.js';
import type { LogicalUnit } from './iscsi/logical-units.js';
import { IscsiSession } from './iscsi/session.js';
import type { ChapCredentials, IscsiPortal, LoginOptions } from './iscsi/session.js';
import { IscsiError } from './iscsi/status.js';
import type { KeptDisk, KeptSession, KnownPortal, StorageState } from './storage-state.js';
import { loadStorage, saveStorage } from './storage-state.js';

/** What MSFT_iSCSITarget.Connect asks for. */
export interface ConnectWish {
  readonly target: string;
  /** undefined: one that the target was found at. */
  readonly portal: Partial<IscsiPortal> | undefined;
  readonly chap: ChapCredentials | undefined;
  readonly persistent: boolean;
  readonly multipath: boolean;
}

export interface HostStorageOptions {
  readonly hostName: string;
  readonly files: StateFiles;
  /** The MPIO feature is installed. */
  readonly multipath: boolean;
  readonly fibreChannel: FibreChannelOption | undefined;
  readonly log: Logger;
}

const DEFAULT_PORT = 3260;
/** At the start of the host: a target that is down must not hold it up for long. */
const RECONNECT_MS = 4_000;
const MOST_SESSIONS = 256;

/** The disks of the host beside its own: iSCSI sessions, Fibre Channel, and what is remembered of them. */
export class HostStorage {
  readonly #options: HostStorageOptions;
  readonly #connected = new Set<string>();
  #state: StorageState;
  #fibre: readonly FoundUnit[] = [];
  #service: 'Running' | 'Stopped';
  #busy: Promise<unknown> = Promise.resolve();

  constructor(options: HostStorageOptions) {
    this.#options = options;
    this.#state = loadStorage(options.files, options.hostName);
    this.#service = this.#state.serviceMode === 'Disabled' ? 'Stopped' : 'Running';
  }

  get state(): StorageState {
    return this.#state;
  }

  get service(): 'Running' | 'Stopped' {
    return this.#service;
  }

  get fibreUnits(): readonly FoundUnit[] {
    return this.#fibre;
  }

  isConnected(sessionId: string): boolean {
    return this.#connected.has(sessionId);
  }

  /** All disks that are remembered; those without a working path are not present. */
  disks(): readonly HostDisk[] {
    return disksOf(this.#paths(), this.#state.disks);
  }

  /** Makes the sessions of before again, and looks for Fibre Channel's units. What does not answer is logged. */
  async start(): Promise<void> {
    await this.#alone(async () => {
      this.#findFibre();
      await Promise.all(
        this.#state.sessions.map(async (session) => {
          try {
            await this.#probe(session, RECONNECT_MS);
          } catch (error) {
            this.#options.log.warn(
              { target: session.target, reason: error instanceof Error ? error.message : '' },
              'a target does not answer; its disks are not there',
            );
          }
        }),
      );
      this.#keep({});
    });
  }

  /** What a shutdown of Windows leaves of the sessions. */
  shutDown(): void {
    this.#keep({ sessions: this.#state.sessions.filter((session) => session.persistent) });
  }

  /** Looks for new and changed units on all paths. @returns disks whose size changed */
  async rescan(): Promise<readonly HostDisk[]> {
    return await this.#alone(
      async () =>
        await this.#changedBy(async () => {
          this.#findFibre();
          for (const session of this.#state.sessions) {
            await this.#probe(session).catch(() => this.#connected.delete(session.id));
          }
          this.#keep({});
        }),
    );
  }

  /** Asks the units of one disk anew. @returns it when its size changed */
  async refresh(disk: HostDisk): Promise<readonly HostDisk[]> {
    return await this.#alone(
      async () =>
        await this.#changedBy(async () => {
          if (disk.sessionIds.length === 0) this.#findFibre();
          for (const session of this.#state.sessions.filter(({ id }) => disk.sessionIds.includes(id)))
            await this.#probe(session);
          this.#keep({});
        }),
    );
  }

  /** Remembers a portal and asks it for its targets; it stays known when it does not answer. @throws IscsiError */
  async addPortal(portal: KnownPortal): Promise<void> {
    await this.#alone(async () => {
      this.#requireService();
      const others = this.#state.portals.filter((known) => !samePortal(known, portal));
      this.#keep({ portals: [...others, portal] });
      await this.#discover(portal);
    });
  }

  removePortal(portal: IscsiPortal): void {
    if (!this.#state.portals.some((known) => samePortal(known, portal)))
      throw new IscsiError('portalNotFound', `${portal.address}:${portal.port}`);
    const targets = this.#state.targets
      .map((target) => ({ ...target, portals: target.portals.filter((one) => !samePortal(one, portal)) }))
      .filter(
        (target) =>
          target.portals.length > 0 || this.#state.sessions.some((one) => one.target === target.name),
      );
    this.#keep({ portals: this.#state.portals.filter((known) => !samePortal(known, portal)), targets });
  }

  /** Asks portals for their targets again; all when none is given. @throws IscsiError */
  async updatePortals(portal?: IscsiPortal): Promise<void> {
    await this.#alone(async () => {
      this.#requireService();
      const known = this.#state.portals.filter((one) => portal === undefined || samePortal(one, portal));
      if (portal !== undefined && known.length === 0)
        throw new IscsiError('portalNotFound', `${portal.address}:${portal.port}`);
      for (const one of known) await this.#discover(one);
    });
  }

  /** Logs in. @throws IscsiError, and nothing has changed */
  async connect(wish: ConnectWish): Promise<KeptSession> {
    return await this.#alone(async () => {
      this.#requireService();
      const target = this.#state.targets.find(({ name }) => sameText(name, wish.target));
      if (target === undefined) throw new IscsiError('targetNotFound', wish.target);
      const portal = portalOf(wish.portal, target.portals);
      const same = this.#state.sessions.filter((session) => session.target === target.name);
      const stale = same.filter(
        (session) => !this.#connected.has(session.id) && samePortal(session.portal, portal),
      );
      const isAllowed = wish.multipath && same.every((session) => session.multipath);
      if (!isAllowed && same.length > stale.length) throw new IscsiError('alreadyLoggedIn', target.name);
      if (this.#state.sessions.length >= MOST_SESSIONS) throw new IscsiError('outOfResources', 'sessions');
      const units = await readLogicalUnits(portal, target.name, this.#login(wish.chap));
      const number = this.#state.nextSession;
      const session: KeptSession = {
        id: `ffffe00147d6a010-40000137${number.toString(16).padStart(8, '0')}`,
        target: target.name,
        portal,
        ...(wish.chap === undefined ? {} : { chap: wish.chap }),
        persistent: wish.persistent,
        multipath: wish.multipath,
        units,
      };
      for (const { id } of stale) this.#connected.delete(id);
      this.#connected.add(session.id);
      const others = this.#state.sessions.filter((one) => !stale.includes(one));
      this.#keep({ sessions: [...others, session], nextSession: number + 1 });
      return session;
    });
  }

  /** @param isInUse whether a machine that runs has the disk. @throws IscsiError */
  disconnect(sessionId: string, isInUse: (disk: HostDisk) => boolean): void {
    const session = this.#state.sessions.find(({ id }) => id === sessionId);
    if (session === undefined) throw new IscsiError('invalidSessionId', sessionId);
    const others = (disk: HostDisk): readonly string[] =>
      disk.sessionIds.filter((id) => id !== sessionId && this.#connected.has(id));
    const busy = this.disks().find(
      (disk) => disk.sessionIds.includes(sessionId) && others(disk).length === 0 && isInUse(disk),
    );
    if (busy !== undefined) throw new IscsiError('deviceBusy', `disk ${busy.number}`);
    this.#connected.delete(sessionId);
    this.#keep({ sessions: this.#state.sessions.filter(({ id }) => id !== sessionId) });
  }

  changeSession(
    sessionId: string,
    changes: Partial<Pick<KeptSession, 'persistent' | 'multipath' | 'chap'>>,
  ): void {
    if (!this.#state.sessions.some(({ id }) => id === sessionId))
      throw new IscsiError('invalidSessionId', sessionId);
    this.#keep({
      sessions: this.#state.sessions.map((one) => (one.id === sessionId ? { ...one, ...changes } : one)),
    });
  }

  changeDisk(key: string, changes: Partial<Pick<KeptDisk, 'offline' | 'readOnly'>>): void {
    this.#keep({
      disks: this.#state.disks.map((disk) => (disk.key === key ? { ...disk, ...changes } : disk)),
    });
  }

  setPolicy(policy: number): void {
    this.#keep({ policy });
  }

  setInitiatorName(initiatorName: string): void {
    this.#keep({ initiatorName });
  }

  setService(service: 'Running' | 'Stopped'): void {
    this.#service = service;
  }

  setServiceMode(serviceMode: StorageState['serviceMode']): void {
    this.#keep({ serviceMode });
  }

  #paths(): readonly UnitPath[] {
    const { multipath } = this.#options;
    return [
      ...sessionPaths(this.#state.sessions, this.#connected, this.#state.initiatorName, multipath),
      ...fibrePaths(this.#fibre, multipath),
    ];
  }

  #requireService(): void {
    if (this.#service !== 'Running') throw new IscsiError('serviceNotRunning', 'MSiSCSI');
  }

  #login(chap: ChapCredentials | undefined, timeoutMs?: number): LoginOptions {
    const { initiatorName } = this.#state;
    return { initiatorName, chap, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
  }

  async #discover(portal: KnownPortal): Promise<void> {
    const session = await IscsiSession.login(portal, undefined, this.#login(portal.chap));
    let found: ReadonlyMap<string, readonly IscsiPortal[]>;
    try {
      found = await session.sendTargets();
    } finally {
      await session.logout();
    }
    const before = this.#state.targets
      .map((target) => ({ ...target, portals: target.portals.filter((one) => !samePortal(one, portal)) }))
      .filter(
        ({ name, portals }) => portals.length > 0 || this.#state.sessions.some((one) => one.target === name),
      );
    const targets = new Map(before.map((target) => [target.name, target.portals]));
    for (const [name, portals] of found) {
      // The way by which it was found works, whatever the target calls itself.
      const all = [portal, ...portals, ...(targets.get(name) ?? [])];
      targets.set(
        name,
        all
          .filter((one, index) => all.findIndex((other) => samePortal(one, other)) === index)
          .map(({ address, port }) => ({ address, port })),
      );
    }
    this.#keep({ targets: [...targets].map(([name, portals]) => ({ name, portals })) });
  }

  async #probe(session: KeptSession, timeoutMs?: number): Promise<void> {
    const units = await readLogicalUnits(
      session.portal,
      session.target,
      this.#login(session.chap, timeoutMs),
    );
    this.#connected.add(session.id);
    this.#state = {
      ...this.#state,
      sessions: this.#state.sessions.map((one) => (one.id === session.id ? { ...one, units } : one)),
    };
  }

  #findFibre(): void {
    this.#fibre = fibreUnits(this.#options.fibreChannel, (file) => {
      const stats = statSync(file, { throwIfNoEntry: false });
      return stats?.isFile() === true ? stats.size : undefined;
    });
  }

  /** Disks of before whose size is another one after the work. */
  async #changedBy(work: () => Promise<void>): Promise<readonly HostDisk[]> {
    const before = new Map(this.disks().map((disk) => [disk.key, disk.unit.sizeBytes]));
    await work();
    return this.disks().filter(
      ({ key, unit }: { key: string; unit: LogicalUnit }) =>
        before.has(key) && before.get(key) !== unit.sizeBytes,
    );
  }

  #keep(changes: Partial<StorageState>): void {
    const next = { ...this.#state, ...changes };
    const paths = [
      ...sessionPaths(next.sessions, this.#connected, next.initiatorName, this.#options.multipath),
      ...fibrePaths(this.#fibre, this.#options.multipath),
    ];
    const state = { ...next, disks: rememberDisks(paths, next.disks, next.policy) };
    saveStorage(this.#options.files, state);
    this.#state = state;
  }

  /** Changes of what is known follow one another. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#busy.then(work);
    this.#busy = result.catch(() => undefined);
    return await result;
  }
}

export function samePortal(a: IscsiPortal, b: IscsiPortal): boolean {
  return sameText(a.address, b.address) && a.port === b.port;
}

function portalOf(wanted: Partial<IscsiPortal> | undefined, known: readonly IscsiPortal[]): IscsiPortal {
  const { address, port } = wanted ?? {};
  const found = known.find(
    (one) =>
      (address === undefined || sameText(one.address, address)) && (port === undefined || one.port === port),
  );
  if (found !== undefined) return found;
  if (address === undefined) throw new IscsiError('targetNotFound', 'the target has no portal');
  return { address, port: port ?? DEFAULT_PORT };
}
