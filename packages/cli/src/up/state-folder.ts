import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CliError, EXIT } from '../errors.js';
import { errorCode, errorMessage, isRecord } from '../json.js';
import { RELEASES, type HostSpec } from './hosts.js';
import { isSameProcess, processIdentity, type ProcessIdentity } from './process-identity.js';

/** Everything of one cloud lives under one folder; these are its places. */
export interface StateFolder {
  readonly root: string;
  readonly cloudsYaml: string;
  readonly openrc: string;
  readonly guests: string;
  readonly log: string;
  readonly cloud: string;
  hostDir(name: string): string;
}

export function stateFolder(root: string): StateFolder {
  return {
    root,
    cloudsYaml: join(root, 'clouds.yaml'),
    openrc: join(root, 'openrc'),
    guests: join(root, 'guests'),
    log: join(root, 'log', 'nova-hyperv.log'),
    cloud: join(root, 'cloud'),
    hostDir: (name) => join(root, 'hosts', name.toLowerCase()),
  };
}

/** What is chosen or generated once and kept: 0600, because the passwords stand in it. */
export interface Settings {
  readonly hosts: readonly (HostSpec & { readonly password: string })[];
}

export function generatePassword(): string {
  return randomBytes(18).toString('base64url');
}

/** Writes whole or not at all: a killed process leaves the old file. */
export async function writeFileAtomically(path: string, content: string, mode = 0o644): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, content, { mode });
  await rename(temporary, path);
}

/** The settings of a folder; undefined in a fresh one. A file that makes no sense stops the start: it holds passwords. */
export async function loadSettings(state: StateFolder): Promise<Settings | undefined> {
  const path = join(state.root, 'settings.json');
  try {
    const settings: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (isSettings(settings)) return settings;
    throw new Error('it does not hold a list of hosts');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw new CliError(`${path} cannot be read: ${errorMessage(error)}`, EXIT.failed, { cause: error });
  }
}

const isText = (field: unknown): boolean => typeof field === 'string' && field !== '';

function isSettings(value: unknown): value is Settings {
  const hosts = isRecord(value) ? value['hosts'] : undefined;
  return (
    Array.isArray(hosts) &&
    hosts.every(
      (host) =>
        isRecord(host) &&
        isText(host['name']) &&
        isText(host['password']) &&
        RELEASES.some((one) => one === host['release']) &&
        (host['guarded'] === undefined || typeof host['guarded'] === 'boolean'),
    )
  );
}

export async function saveSettings(state: StateFolder, settings: Settings): Promise<void> {
  await writeFileAtomically(
    join(state.root, 'settings.json'),
    `${JSON.stringify(settings, undefined, 2)}\n`,
    0o600,
  );
}

/** Who runs this state folder now. */
export interface Running extends ProcessIdentity {
  readonly url?: string;
  /** The emulated hosts: WS-Man address, and the folder of their pipes' sockets. */
  readonly hosts?: readonly { readonly name: string; readonly url: string; readonly pipes: string }[];
}

/** What a folder's process tells once it is ready. */
export type Ready = Required<Pick<Running, 'url' | 'hosts'>>;

function runningPath(state: StateFolder): string {
  return join(state.root, 'running.json');
}

function isRunning(value: unknown): value is Running {
  return isRecord(value) && typeof value['pid'] === 'number' && typeof value['startTime'] === 'string';
}

/** The process that runs this folder, if it is still there. */
export async function readRunning(state: StateFolder): Promise<Running | undefined> {
  try {
    const running: unknown = JSON.parse(await readFile(runningPath(state), 'utf8'));
    return isRunning(running) && (await isSameProcess(running)) ? running : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Takes the folder for this process, so that two never run one cloud. A folder whose process died is free.
 */
export async function claimFolder(
  state: StateFolder,
): Promise<{ ready(what: Ready): Promise<void>; release(): Promise<void> }> {
  await mkdir(state.root, { recursive: true, mode: 0o700 });
  const running = await readRunning(state);
  if (running !== undefined) {
    throw new CliError(
      `process ${running.pid} already runs this state folder${running.url === undefined ? '' : ` at ${running.url}`}; stop it with: script/down --state ${state.root}`,
      EXIT.unavailable,
    );
  }
  await rm(runningPath(state), { force: true });
  const identity = await processIdentity(process.pid);
  let handle;
  try {
    handle = await open(runningPath(state), 'wx', 0o600);
  } catch (error) {
    throw new CliError(
      'another process takes this state folder at this moment; try again',
      EXIT.unavailable,
      { cause: error },
    );
  }
  await handle.writeFile(JSON.stringify(identity));
  await handle.close();
  return {
    ready: (what) => writeFileAtomically(runningPath(state), JSON.stringify({ ...identity, ...what }), 0o600),
    release: () => rm(runningPath(state), { force: true }),
  };
}
