import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import {
  BackendError,
  type BackendStats,
  type ConnectionInfo,
  type Connector,
  type ImageContent,
  type LongWork,
  type StoredSnapshot,
  type StoredVolume,
  type VolumeBackend,
} from '../backends/backend.js';

const GIB = 2 ** 30;
const CONTENT = z.object({ sizeGb: z.number(), text: z.string() });
type Content = z.infer<typeof CONTENT>;

/** A back end for tests: a small file a volume, which holds its size and the text that was written to it. Keeps the contract of VolumeBackend. */
export class FakeBackend implements VolumeBackend {
  readonly name: string;
  readonly storageProtocol = 'SMB';
  readonly vendor = 'tests';
  onlineExtendRefusal: string | null = null;
  /** Hosts that a volume is exported to, by volume. */
  readonly exports = new Map<string, Set<string>>();
  /** Called before each operation with its name: to wait, or to throw. */
  before: (operation: string) => Promise<void> = async () => {};
  free = 100 * GIB;
  readonly #dir: string;

  constructor(dir: string, name = 'smb') {
    this.#dir = join(dir, name);
    this.name = name;
  }

  async start(known: Parameters<VolumeBackend['start']>[0]): Promise<void> {
    await this.before('start');
    await mkdir(this.#dir, { recursive: true });
    const keep = new Set([...known.volumes, ...known.snapshots].map(({ id }) => id));
    for (const name of await readdir(this.#dir))
      if (!keep.has(name)) await rm(join(this.#dir, name), { force: true });
    for (const { volume, connector } of known.attachments) await this.initializeConnection(volume, connector);
  }

  async stop(): Promise<void> {
    this.exports.clear();
  }

  async stats(): Promise<BackendStats> {
    return { totalBytes: 100 * GIB, freeBytes: this.free };
  }

  async #write(id: string, content: Content): Promise<void> {
    const path = join(this.#dir, id);
    await writeFile(`${path}.tmp`, JSON.stringify(content));
    await rename(`${path}.tmp`, path);
  }

  async read(id: string): Promise<Content> {
    try {
      return CONTENT.parse(JSON.parse(await readFile(join(this.#dir, id), 'utf8')));
    } catch (error) {
      throw new BackendError('NOT_FOUND', `${id} is not there.`, { cause: error });
    }
  }

  /** What a server would write. */
  async fill(id: string, text: string): Promise<void> {
    await this.#write(id, { ...(await this.read(id)), text });
  }

  ids(): Promise<string[]> {
    return readdir(this.#dir);
  }

  async createVolume({ id, sizeGb }: StoredVolume): Promise<void> {
    await this.before('createVolume');
    await this.#write(id, { sizeGb, text: '' });
  }

  async createVolumeFromSnapshot({ id, sizeGb }: StoredVolume, snapshot: StoredSnapshot): Promise<void> {
    await this.before('createVolumeFromSnapshot');
    await this.#write(id, { sizeGb, text: (await this.read(snapshot.id)).text });
  }

  async cloneVolume({ id, sizeGb }: StoredVolume, source: StoredVolume): Promise<void> {
    await this.before('cloneVolume');
    await this.#write(id, { sizeGb, text: (await this.read(source.id)).text });
  }

  async createVolumeFromImage(
    { id, sizeGb }: StoredVolume,
    image: ImageContent,
    work: LongWork = {},
  ): Promise<void> {
    await this.before('createVolumeFromImage');
    work.signal?.throwIfAborted();
    await this.#write(id, { sizeGb, text: await readFile(image.path, 'utf8') });
  }

  async deleteVolume(id: string): Promise<void> {
    await this.before('deleteVolume');
    if (this.exports.has(id)) throw new BackendError('VOLUME_IN_USE', `${id} is exported.`);
    await rm(join(this.#dir, id), { force: true });
  }

  async extendVolume({ id }: StoredVolume, newSizeGb: number): Promise<void> {
    await this.before('extendVolume');
    await this.#write(id, { ...(await this.read(id)), sizeGb: newSizeGb });
  }

  async createSnapshot(snapshot: StoredSnapshot): Promise<void> {
    await this.before('createSnapshot');
    await this.#write(snapshot.id, await this.read(snapshot.volumeId));
  }

  async deleteSnapshot(snapshot: StoredSnapshot): Promise<void> {
    await this.before('deleteSnapshot');
    await rm(join(this.#dir, snapshot.id), { force: true });
  }

  async copyVolumeToFile({ id }: StoredVolume, path: string): Promise<void> {
    await this.before('copyVolumeToFile');
    await writeFile(path, (await this.read(id)).text, { flag: 'wx' });
  }

  async initializeConnection(volume: StoredVolume, connector: Connector): Promise<ConnectionInfo> {
    await this.before('initializeConnection');
    await this.read(volume.id);
    const hosts = this.exports.get(volume.id) ?? new Set();
    this.exports.set(volume.id, hosts.add(String(connector['host'])));
    return {
      driver_volume_type: 'smbfs',
      data: { export: '//server/volumes', name: `volume-${volume.id}.vhdx`, options: '-o username=u' },
    };
  }

  async terminateConnection(volume: StoredVolume, connector: Connector): Promise<void> {
    await this.before('terminateConnection');
    const hosts = this.exports.get(volume.id);
    hosts?.delete(String(connector['host']));
    if (hosts?.size === 0) this.exports.delete(volume.id);
  }
}
