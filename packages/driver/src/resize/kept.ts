import { open, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hostBaseName } from '@nova-hyperv/hyperv';
import type { DriverContext } from '../context.js';
import { copyToNew } from '../disks/files.js';
import { isMissing } from '../disks/instance-folder.js';
import { DriverError } from '../errors.js';
import type { VmSpec } from '../plan/vm-spec.js';
import type { InstanceRef } from '../types.js';

/** In the folder `<name>_revert`, beside the disks. */
const NOTE = 'machine.json';
const NOTE_LIMIT = 256 * 1024;

/** What a resized instance was: the machine's settings, and either its disks or the size that its running root disk had. */
export type Kept =
  | {
      readonly kind: 'cold';
      readonly spec: VmSpec;
      /** File names of the disks as they were, kept in the same folder. */
      readonly disks: readonly string[];
    }
  | {
      readonly kind: 'live';
      readonly spec: VmSpec;
      /** The host's path of the root disk, and its virtual size in bytes. */
      readonly rootPath: string;
      readonly rootBytes: number;
    };

/**
 * Keeps a machine as it is. `diskPaths` (the host's) are copied, which shares blocks where the file system can; the machine must be off then. The
 * folder has its name only when everything in it is on the disk.
 */
export async function keep(
  context: DriverContext,
  instance: InstanceRef,
  kept: Kept,
  diskPaths: readonly string[] = [],
): Promise<void> {
  const { folders, host } = context;
  await folders.createRevert(instance, async (local) => {
    for (const path of diskPaths) {
      const copy = join(local, hostBaseName(path));
      await copyToNew(host.reach.local(path), copy);
      await toDisk(copy);
    }
    const note = join(local, NOTE);
    await writeFile(note, `${JSON.stringify(kept)}\n`);
    await toDisk(note);
  });
}

async function toDisk(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Undefined when nothing is kept of this instance. */
export async function readKept(
  { folders, host }: DriverContext,
  instance: InstanceRef,
): Promise<Kept | undefined> {
  if (!(await folders.hasRevert(instance))) return undefined;
  const path = folders.revertPathOf(instance);
  let text: string;
  try {
    text = await readFile(join(host.reach.local(path), NOTE), 'utf8');
  } catch (error) {
    if (isMissing(error)) throw unreadable(path, error);
    throw error;
  }
  try {
    const note: unknown = text.length > NOTE_LIMIT ? undefined : JSON.parse(text);
    if (isKept(note)) return note;
    throw unreadable(path, undefined);
  } catch (error) {
    throw error instanceof SyntaxError ? unreadable(path, error) : error;
  }
}

function unreadable(path: string, cause: unknown): DriverError {
  return new DriverError(
    'NovaException',
    `${path} holds the disks of an instance as it was before its resize, and its ${NOTE} cannot be read. Its disks are whole: put them in the instance's folder by hand, or delete the instance.`,
    { cause },
  );
}

/** The note is our own; this finds damage, not malice. */
function isKept(value: unknown): value is Kept {
  if (typeof value !== 'object' || value === null || !('kind' in value) || !('spec' in value)) return false;
  const { spec } = value;
  if (typeof spec !== 'object' || spec === null || !('drives' in spec) || !Array.isArray(spec.drives))
    return false;
  if (value.kind === 'live') return 'rootPath' in value && 'rootBytes' in value;
  return (
    value.kind === 'cold' &&
    'disks' in value &&
    Array.isArray(value.disks) &&
    value.disks.every((name) => typeof name === 'string' && hostBaseName(name) === name)
  );
}

/** Puts the kept disks back, each by one rename: done again after an interruption, it goes on where it stopped. */
export async function restoreDisks(
  { folders, host }: DriverContext,
  instance: InstanceRef,
  names: readonly string[],
): Promise<void> {
  const from = host.reach.local(folders.revertPathOf(instance));
  const to = folders.localOf(instance);
  for (const name of names) {
    if (await isThere(join(from, name))) await rename(join(from, name), join(to, name));
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** `kept` over `now`: what the note does not tell (an older version wrote it) stays as it is. */
export function overlay(now: VmSpec, kept: VmSpec): VmSpec {
  const merged: VmSpec = { ...now, ...kept };
  return {
    ...merged,
    security: { ...now.security, ...kept.security },
    processors: { ...now.processors, ...kept.processors },
    memory: { ...now.memory, ...kept.memory },
  };
}
