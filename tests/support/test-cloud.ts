import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { basicAuth, createWsmanClient, type WsmanClient } from '@nova-hyperv/wsman';
import { Rest } from './rest.js';
import { ROOT, run, runOk } from './run.js';

const CLI = join(ROOT, 'packages/cli/bin/nova-hyperv.js');

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as { port: number };
  await new Promise((closed) => server.close(closed));
  return port;
}

/** A one-machine cloud started by the product's own command, in a folder of its own. */
export class TestCloud {
  readonly state: string;
  readonly #args: readonly string[];
  private constructor(state: string, args: readonly string[]) {
    this.state = state;
    this.#args = args;
  }

  static async prepare(options: {
    engine: 'qemu' | 'none';
    hosts: readonly string[];
    /** Text of a nova.conf. */
    novaConf?: string;
  }): Promise<TestCloud> {
    const state = await mkdtemp(join(tmpdir(), 'nova-hyperv-e2e-'));
    const conf = join(state, 'nova.conf');
    if (options.novaConf !== undefined) await writeFile(conf, options.novaConf);
    const port = await freePort();
    return new TestCloud(state, [
      '--state',
      state,
      '--engine',
      options.engine,
      '--port',
      String(port),
      ...options.hosts.flatMap((host) => ['--host', host]),
      ...(options.novaConf === undefined ? [] : ['--config-file', conf]),
    ]);
  }

  async up(): Promise<string> {
    return runOk(process.execPath, [CLI, 'up', '--detach', ...this.#args]);
  }

  async down(): Promise<void> {
    await runOk(process.execPath, [CLI, 'down', '--state', this.state]);
  }

  async running(): Promise<{
    pid: number;
    url: string;
    hosts: readonly { name: string; url: string; pipes: string }[];
  }> {
    return JSON.parse(await readFile(join(this.state, 'running.json'), 'utf8')) as never;
  }

  async adminPassword(): Promise<string> {
    return (await readFile(join(this.state, 'cloud', 'secrets', 'admin-password'), 'utf8')).trim();
  }

  /** As a power cut would, for this process only. */
  async kill(): Promise<void> {
    const { pid } = await this.running();
    process.kill(pid, 'SIGKILL');
  }

  async rest(): Promise<Rest> {
    return Rest.logIn((await this.running()).url, await this.adminPassword());
  }

  /** A WS-Man client of an emulated host, for a look from outside. */
  async wsman(hostName: string): Promise<WsmanClient> {
    const { url } = (await this.running()).hosts.find((host) => host.name === hostName)!;
    const settings = JSON.parse(await readFile(join(this.state, 'settings.json'), 'utf8')) as {
      hosts: { name: string; password: string }[];
    };
    const { password } = settings.hosts.find((host) => host.name === hostName)!;
    return createWsmanClient({ url, auth: basicAuth({ user: 'Administrator', password }) });
  }

  /** Names of the machines that the host has. */
  async machines(hostName: string): Promise<string[]> {
    const client = await this.wsman(hostName);
    try {
      const found = await client.query(
        'root/virtualization/v2',
        "SELECT ElementName FROM Msvm_VirtualSystemSettingData WHERE VirtualSystemType = 'Microsoft:Hyper-V:System:Realized'",
      );
      return found.map(({ instance }) => instance.properties['ElementName'] as string).toSorted();
    } finally {
      await client.close();
    }
  }

  /** Everything below the host's instances folder except the image cache. */
  async instanceFiles(hostName: string): Promise<string[]> {
    const folder = join(this.state, 'hosts', hostName, 'C', 'OpenStack', 'Instances');
    const all = await readdir(folder, { recursive: true }).catch(() => []);
    return all.filter((path) => path !== '_base' && !path.startsWith('_base/')).toSorted();
  }

  async readLog(): Promise<string> {
    return readFile(join(this.state, 'log', 'nova-hyperv.log'), 'utf8').catch(() => '');
  }

  async destroy(): Promise<void> {
    await run(process.execPath, [CLI, 'down', '--state', this.state]);
    await rm(this.state, { recursive: true, force: true, maxRetries: 5 });
  }

  /** The environment of a client, as the README says. */
  clientEnv(): Record<string, string> {
    return { OS_CLIENT_CONFIG_FILE: join(this.state, 'clouds.yaml'), OS_CLOUD: 'nova-hyperv' };
  }
}
