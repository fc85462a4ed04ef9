import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DriverContext } from '../context.js';
import { isMissing } from '../disks/instance-folder.js';
import type { InstanceRef } from '../types.js';
import type { VolumeAddress } from './address.js';

/** In the instance's folder: what the host is, or may be, connected to for it. Holds no secret. */
const FILE = 'volumes.json';
const LIMIT = 256 * 1024;

/**
 * The volumes that the host has been connected to for an instance. Written before the first connection and after the last, so that whoever finds the
 * folder of a killed operation knows what to let go of.
 */
export async function readRecord(
  { folders, log }: Pick<DriverContext, 'folders' | 'log'>,
  instance: InstanceRef,
): Promise<readonly VolumeAddress[]> {
  const path = join(folders.localOf(instance), FILE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
  try {
    const entries: unknown = text.length > LIMIT ? undefined : JSON.parse(text);
    if (Array.isArray(entries) && entries.every((entry) => isAddress(entry))) return entries;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  log.warn(
    { instance: instance.uuid },
    `The record of connected volumes (${FILE}) in the instance's folder is damaged and is not heeded`,
  );
  return [];
}

/** Adds what is new, and takes out what is named. An empty record is no file. */
export async function changeRecord(
  context: Pick<DriverContext, 'folders' | 'log'>,
  instance: InstanceRef,
  change: { readonly add?: readonly VolumeAddress[]; readonly remove?: readonly string[] },
): Promise<void> {
  const { add = [], remove = [] } = change;
  const gone = new Set([...remove, ...add.map(({ volumeId }) => volumeId)]);
  const before = await readRecord(context, instance);
  const entries = [...before.filter(({ volumeId }) => !gone.has(volumeId)), ...add];
  const path = join(context.folders.localOf(instance), FILE);
  if (entries.length === 0) {
    await rm(path, { force: true });
    return;
  }
  const unfinished = `${path}.new`;
  await writeFile(unfinished, `${JSON.stringify(entries)}\n`, { mode: 0o600 });
  await rename(unfinished, path);
}

/** The record is our own; this finds damage, not malice. */
function isAddress(value: unknown): value is VolumeAddress {
  if (typeof value !== 'object' || value === null || !('volumeId' in value) || !('type' in value))
    return false;
  if (typeof value.volumeId !== 'string') return false;
  switch (value.type) {
    case 'iscsi':
      return 'paths' in value && Array.isArray(value.paths);
    case 'fibre_channel':
      return 'targetWwpns' in value && Array.isArray(value.targetWwpns);
    case 'smbfs':
      return 'share' in value && typeof value.share === 'string';
    default:
      return false;
  }
}
