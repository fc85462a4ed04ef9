import { randomUUID } from 'node:crypto';
import { EmulatorError } from '../errors.js';
import { damaged } from '../state-files.js';
import type { StateFiles } from '../state-files.js';

/** What the host keeps of itself. */
export interface HostState {
  readonly format: 1;
  readonly id: string;
  /** Settings of one release are not those of another: a folder stays with its release. */
  readonly release: string;
  readonly installed: string;
  readonly switches: readonly SwitchState[];
}

export interface SwitchState {
  readonly id: string;
  readonly name: string;
  /** GUIDs of the external adapter, and of the switch's port to it. */
  readonly adapterId: string;
  readonly portId: string;
  readonly mac: string;
}

const FILE = 'host';

/** Reads the host's file, makes it where there is none, and adds switches that are new. */
export function loadHostState(files: StateFiles, release: string, switches: readonly string[]): HostState {
  const content = files.read(FILE);
  if (content !== undefined && !isHostState(content)) {
    throw damaged(`${files.folder}/${FILE}.json`, 'it does not describe a host');
  }
  if (content !== undefined && content.release !== release) {
    throw new EmulatorError(
      'EMULATOR_OPTION',
      `The folder ${files.folder} belongs to a host of release ${content.release}; start it as that, or choose another folder.`,
    );
  }
  const before: HostState = content ?? {
    format: 1,
    id: newGuid(),
    release,
    installed: new Date().toISOString(),
    switches: [],
  };
  const missing = switches.filter((name) => !before.switches.some((known) => known.name === name));
  if (content !== undefined && missing.length === 0) return before;
  const after: HostState = {
    ...before,
    switches: [
      ...before.switches,
      ...missing.map((name, index) => newSwitch(name, before.switches.length + index)),
    ],
  };
  files.write(FILE, after);
  return after;
}

export function newGuid(): string {
  return randomUUID().toUpperCase();
}

function newSwitch(name: string, number: number): SwitchState {
  const mac = `0A5D00${number.toString(16).toUpperCase().padStart(6, '0')}`;
  return { id: newGuid(), name, adapterId: newGuid(), portId: newGuid(), mac };
}

function isHostState(content: unknown): content is HostState {
  if (typeof content !== 'object' || content === null) return false;
  const state = content as Partial<Record<keyof HostState, unknown>>;
  return (
    state.format === 1 &&
    typeof state.id === 'string' &&
    typeof state.release === 'string' &&
    typeof state.installed === 'string' &&
    Array.isArray(state.switches) &&
    state.switches.every(isSwitchState)
  );
}

function isSwitchState(entry: unknown): entry is SwitchState {
  if (typeof entry !== 'object' || entry === null) return false;
  const texts = new Map(Object.entries(entry));
  return ['id', 'name', 'adapterId', 'portId', 'mac'].every((key) => typeof texts.get(key) === 'string');
}
