import { copyFile, mkdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { runOpenstack } from './client-server.js';
import { ROOT, run, runOk, type Ran } from './run.js';
import type { TestCloud } from './test-cloud.js';

/** An unmodified OpenStack client, as a user types it. */
export interface Client {
  readonly name: string;
  run(...args: string[]): Promise<Ran>;
  /** Must succeed; parsed with `-f json`. */
  json<T>(...args: string[]): Promise<T>;
  ok(...args: string[]): Promise<string>;
  /** A file of this machine as the client sees it. */
  file(path: string): Promise<string>;
}

/** A command as a person types it, in words; single quotes keep blanks and special characters together. */
export function words(command: string): string[] {
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
}

const TIMEOUT = { timeoutMs: 240_000 };

function client(
  name: string,
  prefix: readonly string[],
  env: Record<string, string>,
  file: (path: string) => Promise<string>,
): Client {
  const [program = '', ...rest] = prefix;
  const options = { env, ...TIMEOUT };
  return {
    name,
    file,
    run: (...args) => run(program, [...rest, ...args], options),
    ok: (...args) => runOk(program, [...rest, ...args], options),
    json: async <T>(...args: string[]) =>
      JSON.parse(await runOk(program, [...rest, ...args, '-f', 'json'], options)) as T,
  };
}

/** The client of the Debian that runs the tests, with its modules loaded once: the rest of it is as a user types it. */
export function openstackClient(cloud: TestCloud): Client {
  const options = { env: cloud.clientEnv(), ...TIMEOUT };
  const ok = async (...args: string[]): Promise<string> => {
    const ran = await runOpenstack(args, options);
    if (ran.code === 0) return ran.stdout;
    throw new Error(`openstack ${args.join(' ')} ended with ${ran.code}\n${ran.stdout}\n${ran.stderr}`);
  };
  return {
    name: 'this Debian',
    file: (path) => Promise.resolve(path),
    run: (...args) => runOpenstack(args, options),
    ok,
    json: async <T>(...args: string[]) => JSON.parse(await ok(...args, '-f', 'json')) as T,
  };
}

/** The same, started anew for each command. */
export function typedOpenstackClient(cloud: TestCloud): Client {
  return client('this Debian', ['openstack'], cloud.clientEnv(), (path) => Promise.resolve(path));
}

export function novaClient(cloud: TestCloud, env: Record<string, string>): Client {
  return client('nova', ['nova'], { ...cloud.clientEnv(), ...env }, (path) => Promise.resolve(path));
}

export function cinderClient(cloud: TestCloud, env: Record<string, string> = {}): Client {
  return client('cinder', ['cinder'], { ...cloud.clientEnv(), ...env }, (path) => Promise.resolve(path));
}

/** Debian 13's client, in the chroot that script/debian13-clients makes. */
export async function debian13Client(cloud: TestCloud): Promise<{ client: Client; close(): Promise<void> }> {
  const chroot = (await runOk(join(ROOT, 'script/debian13-clients'), [])).trim();
  const folder = join(chroot, 'tmp', basename(cloud.state));
  await mkdir(folder, { recursive: true });
  await copyFile(join(cloud.state, 'clouds.yaml'), join(folder, 'clouds.yaml'));
  const inside = `/tmp/${basename(cloud.state)}`;
  const env = {
    OS_CLIENT_CONFIG_FILE: `${inside}/clouds.yaml`,
    OS_CLOUD: 'nova-hyperv',
    HOME: '/root',
    LC_ALL: 'C.UTF-8',
  };
  const prefix = ['chroot', chroot, '/usr/bin/openstack'];
  return {
    client: client('Debian 13', prefix, env, async (path) => {
      await copyFile(path, join(folder, basename(path)));
      return `${inside}/${basename(path)}`;
    }),
    close: () => rm(folder, { recursive: true, force: true }),
  };
}
