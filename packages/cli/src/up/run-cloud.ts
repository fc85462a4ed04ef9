import { mkdir } from 'node:fs/promises';
import {
  cloudsYaml,
  createBackends,
  createCloud,
  createMetadataService,
  createNetworkNode,
  createNovaService,
  endVolumeTargets,
  metadataOptions,
  novaOptions,
  openrc,
  smbShare,
  type Cloud,
  type MetadataService,
  type NovaService,
  type SmbShare,
} from '@nova-hyperv/cloud';
import type { ComputeService, NovaConf } from '@nova-hyperv/compute';
import { startEmulatedHost, type EmulatedHost } from '@nova-hyperv/emulator';
import type { Logger } from 'pino';
import { PhysicalNetwork } from './physical-network.js';
import { Teardown } from './teardown.js';
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

/** The emulated hosts' own. */
const EXTERNAL_SWITCH = 'external';

export interface UpOptions {
  readonly state: StateFolder;
  readonly hosts: readonly HostSpec[];
  readonly engine: 'qemu' | 'none';
  readonly address: string;
  readonly port: number;
  /** nova.conf. */
  readonly conf: NovaConf;
  readonly log: Logger;
  readonly onProgress: (text: string) => void;
}

export interface RunningCloud {
  readonly url: string;
  /** `url` is the host's WS-Man address, `pipes` the folder of its pipes' sockets. */
  readonly hosts: readonly (HostSpec & { readonly url: string; readonly pipes: string })[];
  /** What `script/down` does: takes no more requests, finishes or gives up what runs, shuts the hosts down. */
  stop(): Promise<void>;
}

async function prepareSettings(options: UpOptions): Promise<Settings> {
  const stored = await loadSettings(options.state);
  const passwords = new Map(stored?.hosts.map((host) => [host.name, host.password]));
  const settings: Settings = {
    hosts: mergeHosts(
      (stored?.hosts ?? []).map(({ password: _password, ...spec }) => spec),
      options.hosts,
    ).map((host) => ({ ...host, password: passwords.get(host.name) ?? generatePassword() })),
  };
  await saveSettings(options.state, settings);
  return settings;
}

/**
 * Starts the one-machine cloud: the emulated hosts, OpenStack's APIs, one compute service a host. Settles when all
 * of it answers; when a part does not start, stops those that did and throws.
 */
export async function runCloud(options: UpOptions): Promise<RunningCloud> {
  const teardown = new Teardown(options.log);
  try {
    const settings = await prepareSettings(options);
    const share = await smbShare(options.state.cloud);
    // Last of all: guests write to their volumes until their hosts are shut down.
    teardown.add('targets of volumes', () => endVolumeTargets(options.state.cloud));
    const hosts: EmulatedHost[] = [];
    for (const spec of settings.hosts) {
      options.onProgress(`starting emulated host ${spec.name} (Windows Server ${spec.release})`);
      const host = await startHost(options, spec, share);
      teardown.add(`host ${spec.name}`, () => host.stop('shut-down'));
      hosts.push(host);
    }

    options.onProgress('starting OpenStack');
    const computes = new Map<string, ComputeService>();
    let nova: NovaService | undefined;
    let metadata: MetadataService | undefined;
    const cloud = await createCloud({
      stateDir: options.state.cloud,
      listen: { address: options.address, port: options.port },
      log: options.log,
      volumeBackends: await createBackends({ stateDir: options.state.cloud, log: options.log }),
      services: (kernel) => [
        (nova = createNovaService(kernel, { computes, config: novaOptions(options.conf) })),
        (metadata = createMetadataService(kernel, metadataOptions(options.conf))),
      ],
    });
    teardown.add('OpenStack', () => cloud.stop());
    await cloud.start();
    startNetworkNode(options, cloud, metadata!, hosts, teardown);

    const rescheduler = nova!.rescheduler;
    await startComputes(hosts, teardown, (host) => {
      options.onProgress(`starting nova-compute for ${host.name}`);
      return startCompute({ host, cloud, computes, rescheduler, conf: options.conf, log: options.log });
    });
    await writeClientFiles(options, cloud);
    return {
      url: cloud.url,
      hosts: settings.hosts.map(({ name, release }, index) => {
        const { url, pipes } = hosts[index]!;
        return { name, release, url, pipes };
      }),
      stop: () => teardown.run(),
    };
  } catch (error) {
    await teardown.run();
    throw error;
  }
}

/** Guests are served from when their compute service may start any. */
function startNetworkNode(
  options: UpOptions,
  cloud: Cloud,
  metadata: MetadataService,
  hosts: readonly EmulatedHost[],
  teardown: Teardown,
): void {
  const node = createNetworkNode(cloud.kernel.db, {
    request: (request) => metadata.request(request),
    sign: (identifier) => metadata.sign(identifier),
    log: options.log.child({ component: 'network-node' }),
  });
  const wire = new PhysicalNetwork();
  teardown.add('network node', async () => {
    wire.close();
    node.close();
  });
  wire.plugNode(node);
  for (const host of hosts) wire.plugHost(host, EXTERNAL_SWITCH);
}

/** All at once; when one does not start, the others are waited for, so that the teardown has them all. */
async function startComputes(
  hosts: readonly EmulatedHost[],
  teardown: Teardown,
  start: (host: EmulatedHost) => Promise<RunningCompute>,
): Promise<void> {
  const running: RunningCompute[] = [];
  teardown.add('compute services', async () => {
    await Promise.all(running.map((compute) => compute.stop()));
  });
  const started = await Promise.allSettled(hosts.map(start));
  for (const result of started) if (result.status === 'fulfilled') running.push(result.value);
  for (const result of started) if (result.status === 'rejected') throw result.reason;
}

/** `share`: where volumes are, which every host reaches. */
async function startHost(
  options: UpOptions,
  spec: Settings['hosts'][number],
  share: SmbShare,
): Promise<EmulatedHost> {
  const stateDir = options.state.hostDir(spec.name);
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const { password, ...hardware } = spec;
  return startEmulatedHost({
    ...hardware,
    stateDir,
    engine: options.engine,
    shares: [
      {
        remotePath: `\\\\${share.server}\\${share.share}`,
        folder: share.folder,
        username: share.username,
        password: share.password,
      },
    ],
    credentials: { username: 'Administrator', password },
    log: options.log.child({ component: 'emulator', host: spec.name }),
  });
}

async function writeClientFiles(options: UpOptions, cloud: Cloud): Promise<void> {
  const client = {
    url: cloud.url,
    username: 'admin',
    projectName: 'admin',
    password: cloud.adminPassword,
    region: cloud.kernel.region,
  };
  await writeFileAtomically(options.state.cloudsYaml, cloudsYaml(client), 0o600);
  await writeFileAtomically(options.state.openrc, openrc(client), 0o600);
}
