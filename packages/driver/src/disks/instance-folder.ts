import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { joinHostPath } from '@nova-hyperv/hyperv';
import type { HostReach } from '@nova-hyperv/hyperv';
import { DriverError } from '../errors.js';
import type { InstanceRef } from '../types.js';
import { removeTree, renameFolder } from './files.js';

/** In each instance's folder from its first moment: whose it is, so that a killed spawn's folder is recognised. */
const MARKER = 'nova-hyperv.json';
const UNFINISHED = /^\.(?:new|old)-[0-9a-f-]{36}$/i;
/** Ends the name of the folder that keeps what a resized instance was. */
const REVERT = '_revert';
const MARKER_LIMIT = 4096;

export interface InstanceFolder {
  readonly name: string;
  readonly uuid: string;
}

/** The folders of instances below instances_path. All paths are the host's. */
export class InstanceFolders {
  readonly #reach: HostReach;
  readonly #root: string;
  readonly #baseFolder: string;

  constructor(reach: HostReach, root: string, baseFolder: string) {
    this.#reach = reach;
    this.#root = root;
    this.#baseFolder = baseFolder;
  }

  pathOf(instance: Pick<InstanceRef, 'name'>): string {
    return joinHostPath(this.#root, instance.name);
  }

  localOf(instance: Pick<InstanceRef, 'name'>): string {
    return this.#reach.local(this.pathOf(instance));
  }

  async prepareRoot(): Promise<void> {
    await mkdir(this.#reach.local(joinHostPath(this.#root, this.#baseFolder)), { recursive: true });
  }

  /**
   * Makes the instance's folder with its marker, both at once: it is made under another name first. A folder that an earlier try of the
   * same instance left is replaced; somebody else's is refused.
   */
  async create(instance: InstanceRef): Promise<void> {
    await this.#make(instance, this.pathOf(instance), async () => undefined);
  }

  revertPathOf(instance: Pick<InstanceRef, 'name'>): string {
    return joinHostPath(this.#root, instance.name + REVERT);
  }

  /** Makes the folder of what a revert needs: it has its name once `fill` has put everything into it, and before not at all. */
  async createRevert(instance: InstanceRef, fill: (local: string) => Promise<void>): Promise<void> {
    await this.#make(instance, this.revertPathOf(instance), fill);
  }

  async hasRevert(instance: InstanceRef): Promise<boolean> {
    const owner = await this.#ownerOf(this.#reach.local(this.revertPathOf(instance)));
    return owner.uuid === instance.uuid;
  }

  /** False when there is none of this instance. */
  async removeRevert(instance: InstanceRef): Promise<boolean> {
    const local = this.#reach.local(this.revertPathOf(instance));
    const owner = await this.#ownerOf(local);
    if (owner.uuid !== instance.uuid) return false;
    await this.#takeAway(local, instance);
    return true;
  }

  /**
   * The folder loses its name before its content. A kill midway would otherwise leave a folder without its marker, which nobody could
   * tell from somebody else's; {@link removeUnfinished} knows the other name.
   */
  async #takeAway(local: string, instance: InstanceRef): Promise<void> {
    const going = this.#reach.local(joinHostPath(this.#root, `.old-${instance.uuid}`));
    await removeTree(going);
    await renameFolder(local, going);
    await removeTree(going);
  }

  async #make(instance: InstanceRef, path: string, fill: (local: string) => Promise<void>): Promise<void> {
    const local = this.#reach.local(path);
    const owner = await this.#ownerOf(local);
    if (owner.exists && owner.uuid !== instance.uuid) {
      throw new DriverError(
        'InstanceExists',
        `${path} exists and belongs to ${owner.uuid ?? 'something else'}. Remove it, or change instance_name_template.`,
        { scope: 'host' },
      );
    }
    if (owner.exists) await removeTree(local);
    const unfinished = this.#reach.local(joinHostPath(this.#root, `.new-${instance.uuid}`));
    await removeTree(unfinished);
    await mkdir(unfinished, { recursive: true });
    try {
      await writeFile(
        join(unfinished, MARKER),
        `${JSON.stringify({ uuid: instance.uuid, name: instance.name })}\n`,
      );
      await fill(unfinished);
      await rename(unfinished, local);
    } catch (error) {
      await removeTree(unfinished);
      throw error;
    }
  }

  /**
   * Removes the folder when it is this instance's. `trusted`: the host named it as the folder of the instance's machine, so that a folder
   * without a marker (of another driver) is its own too.
   */
  async remove(instance: InstanceRef, options: { trusted: boolean }): Promise<boolean> {
    const local = this.localOf(instance);
    const owner = await this.#ownerOf(local);
    if (!owner.exists) return false;
    if (owner.uuid !== instance.uuid && !(options.trusted && owner.uuid === undefined)) return false;
    await this.#takeAway(local, instance);
    return true;
  }

  /** Folders with a marker. */
  async list(): Promise<readonly InstanceFolder[]> {
    const root = this.#reach.local(this.#root);
    const found: InstanceFolder[] = [];
    for (const entry of await readdir(root, { withFileTypes: true })) {
      if (!entry.isDirectory() || entry.name === this.#baseFolder || UNFINISHED.test(entry.name)) continue;
      const owner = await this.#ownerOf(join(root, entry.name));
      if (owner.uuid !== undefined) found.push({ name: entry.name, uuid: owner.uuid });
    }
    return found;
  }

  /** Folders whose making was cut short. */
  async removeUnfinished(): Promise<readonly string[]> {
    const root = this.#reach.local(this.#root);
    const names = (await readdir(root)).filter((name) => UNFINISHED.test(name));
    for (const name of names) await removeTree(join(root, name));
    return names;
  }

  async #ownerOf(local: string): Promise<{ exists: boolean; uuid?: string }> {
    try {
      const text = await readFile(join(local, MARKER), 'utf8');
      const marker: unknown = text.length > MARKER_LIMIT ? undefined : JSON.parse(text);
      if (
        typeof marker === 'object' &&
        marker !== null &&
        'uuid' in marker &&
        typeof marker.uuid === 'string'
      ) {
        return { exists: true, uuid: marker.uuid };
      }
      return { exists: true };
    } catch (error) {
      if (error instanceof SyntaxError) return { exists: true };
      if (!isMissing(error)) throw error;
      return { exists: await isThere(local) };
    }
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await readdir(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
