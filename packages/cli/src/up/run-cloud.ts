import { mkdir } from 'node:fs/promises';
import { cloudsYaml, createCloud, createNovaService, openrc, type Cloud } from '@nova-hyperv/cloud';
import type { ComputeService } from '@nova-hyperv/compute';
import { startEmulatedHost, type EmulatedHost } from '@nova-hyperv/emulator';
import type { Logger } from 'pino';
import { startCompute, type RunningCompute } from './run-compute.js';
import {
  generatePassword,
  loadSettings,
  saveSettings,
  writeFileAtomically,
  type Settings,
  type StateFolder,
} from './state-folder.js';
import { mergeHosts, type HostSpec } from './hosts.js';

export interface UpOptions {
  readonly state: StateFolder;
  readonly hosts: readonly HostSpec[];
  readonly engine: 'qemu' | 'none';
  readonly address: string;
  readonly port: number;
  readonly adminPassword?: string;
  readonly log: Logger;
  readonly onProgress: (text: string) => void;
}

export interface RunningCloud {
  readonly url: string;
  /** `url` is the host's WS-Man address. */
  readonly hosts: readonly (HostSpec & { readonly url: string })[];
  /** What `script/down` does: takes no more requests, finishes or gives up what runs, shuts the hosts down. */
  stop(): Promise<void>;
}

async function prepareSettings(options: UpOptions): Promise<Settings> {
  const stored = await loadSettings(options.state);
  const passwords = new Map(stored?.hosts.map((host) => [host.name, host.password]));
  const settings: Settings = {
    adminPassword: stored?.adminPassword ?? options.adminPassword ?? generatePassword(),
    hosts: mergeHosts(
      (stored?.hosts ?? []).map(({ name, release }) => ({ name, release })),
      options.hosts,
    ).map((host) => ({ ...host, password: passwords.get(host.name) ?? generatePassword() })),
  };
  await saveSettings(options.state, settings);
  return settings;
}

/** Undoes in reverse what has been started, each part once, also when another part fails to stop. */
class Teardown {
  readonly #steps: { readonly name: string; readonly stop: () => Promise<void> }[] = [];
  readonly #log: Logger;
  constructor(log: Logger) {
    this.#log = log;
  }
  add(name: string, stop: () => Promise<void>): void {
    this.#steps.push({ name, stop });
  }
  async run(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.stop();
      } catch (error) {
        this.#log.error({ err: error }, `stopping ${step.name} failed`);
      }
    }
  }
}

/**
 * Starts the one-machine cloud: the emulated hosts, OpenStack's APIs, one compute service a host. Settles when all
 * of it answers; when a part does not start, stops those that did and throws.
 */
export async function runCloud(options: UpOptions): Promise<RunningCloud> {
  const teardown = new Teardown(options.log);
  try {
    const settings = await prepareSettings(options);
    const hosts: EmulatedHost[] = [];
    for (const spec of settings.hosts) {
      options.onProgress(`starting emulated host ${spec.name} (Windows Server ${spec.release})`);
      const host = await startHost(options, spec);
      teardown.add(`host ${spec.name}`, () => host.stop('shut-down'));
      hosts.push(host);
    }

    options.onProgress('starting OpenStack');
    const computes = new Map<string, ComputeService>();
    const cloud = await createCloud({
      stateDir: options.state.cloud,
      listen: { address: options.address, port: options.port },
      adminPassword: settings.adminPassword,
      log: options.log,
      services: (kernel) => [createNovaService(kernel, { computes })],
    });
    await cloud.start();
    teardown.add('OpenStack', () => cloud.stop());

    const running: RunningCompute[] = [];
    teardown.add('compute services', async () => {
      await Promise.all(running.map((compute) => compute.stop()));
    });
    await Promise.all(
      hosts.map(async (host) => {
        options.onProgress(`starting nova-compute for ${host.name}`);
        const compute = await startCompute({ host, cloud, computes, log: options.log });
        running.push(compute);
      }),
    );
    await writeClientFiles(options, cloud, settings);
    return {
      url: cloud.url,
      hosts: settings.hosts.map(({ name, release }, index) => ({ name, release, url: hosts[index]!.url })),
      stop: () => teardown.run(),
    };
  } catch (error) {
    await teardown.run();
    throw error;
  }
}

async function startHost(options: UpOptions, spec: Settings['hosts'][number]): Promise<EmulatedHost> {
  const stateDir = options.state.hostDir(spec.name);
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  return startEmulatedHost({
    name: spec.name,
    release: spec.release,
    stateDir,
    engine: options.engine,
    credentials: { username: 'Administrator', password: spec.password },
    log: options.log.child({ component: 'emulator', host: spec.name }),
  });
}

async function writeClientFiles(options: UpOptions, cloud: Cloud, settings: Settings): Promise<void> {
  const client = {
    url: cloud.url,
    username: 'admin',
    projectName: 'admin',
    password: settings.adminPassword,
    region: cloud.kernel.region,
  };
  await writeFileAtomically(options.state.cloudsYaml, cloudsYaml(client), 0o600);
  await writeFileAtomically(options.state.openrc, openrc(client), 0o600);
}
