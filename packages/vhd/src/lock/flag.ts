import { createHash, randomBytes } from 'node:crypto';
import type { Place } from './holder.js';

export type LockMode = 'read' | 'write';

/** Who holds a lock, as the name of its flag file tells. */
export interface Flag {
  readonly mode: LockMode;
  readonly pid: number;
  /** See `startOf`. */
  readonly start: string;
  /** Digest of the place where the process id counts. */
  readonly place: string;
}

/** What a flag file holds, for people and for telling a machine that was started anew from another machine. */
export interface FlagContent {
  readonly purpose: string;
  readonly host: string;
  readonly bootId: string;
}

/** File systems take names of 255 bytes; the rest of a flag's name needs fewer than 80. */
const MAX_LABEL = 160;

/** A machine may be renamed while it runs, so its name counts only where nothing better is known. */
export function placeDigest({ host, bootId, pidNamespace }: Place): string {
  const text = bootId === '' ? host : `${bootId} ${pidNamespace}`;
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}

/** What the names of all flags of one disk begin with. Hidden, as the temporary files are. */
export function flagPrefix(diskName: string): string {
  const isLong = Buffer.byteLength(diskName) > MAX_LABEL;
  const label = isLong ? createHash('sha256').update(diskName).digest('hex') : diskName;
  return `.${label}.lock-`;
}

/** A name of its own for each lock, so that removing one can never remove another's. */
export function flagName(diskName: string, flag: Flag): string {
  const { mode, pid, start, place } = flag;
  return `${flagPrefix(diskName)}${mode}-${pid}-${start}-${place}-${randomBytes(4).toString('hex')}`;
}

const REST = /^(read|write)-(\d{1,10})-(\d{1,20})-([0-9a-f]{8})-[0-9a-f]{8}$/;

/** undefined for names that are no flags of this disk. */
export function parseFlagName(diskName: string, name: string): Flag | undefined {
  const prefix = flagPrefix(diskName);
  const match = name.startsWith(prefix) ? REST.exec(name.slice(prefix.length)) : null;
  const [, mode, pid, start, place] = match ?? [];
  if (mode === undefined || start === undefined || place === undefined) return undefined;
  return { mode: mode === 'read' ? 'read' : 'write', pid: Number(pid), start, place };
}

/** undefined when the process died before it had written it, or it is not one. */
export function parseFlagContent(text: string): FlagContent | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const field = (name: string): string => {
      const found: unknown = Reflect.get(value, name);
      return typeof found === 'string' ? found : '';
    };
    return { purpose: field('purpose'), host: field('host'), bootId: field('bootId') };
  } catch {
    return undefined;
  }
}
