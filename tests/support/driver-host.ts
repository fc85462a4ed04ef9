import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDriver } from '@nova-hyperv/driver';
import type {
  CreateDriverOptions,
  DriverConfig,
  ImageMeta,
  ImageSource,
  Instance,
  SpawnRequest,
  Vif,
  VirtDriver,
} from '@nova-hyperv/driver';
import { startEmulatedHost } from '@nova-hyperv/emulator';
import type { EmulatedHost, EmulatedHostOptions } from '@nova-hyperv/emulator';
import { connectHost, mappedReach } from '@nova-hyperv/hyperv';
import type { HyperVHost } from '@nova-hyperv/hyperv';
import { createVhd, createVhdx } from '@nova-hyperv/vhd';
import type { WsmanClient } from '@nova-hyperv/wsman';
import { basicAuth, createWsmanClient } from '@nova-hyperv/wsman';
import { pino } from 'pino';
import type { Logger } from 'pino';

export const MIB = 1024 * 1024;
const CREDENTIALS = { username: 'Administrator', password: 'not-a-secret' };

export interface TestHost {
  readonly emulated: EmulatedHost;
  readonly client: WsmanClient;
  readonly host: HyperVHost;
  readonly driver: VirtDriver;
  /** This machine's folder of instances_path. */
  readonly instances: string;
  readonly folder: string;
  connect(
    wrap?: (client: WsmanClient) => WsmanClient,
    config?: Partial<DriverConfig>,
  ): Promise<{ host: HyperVHost; driver: VirtDriver }>;
  close(): Promise<void>;
}

export interface TestHostOptions {
  readonly release?: EmulatedHostOptions['release'];
  readonly refuse?: readonly string[];
  readonly guarded?: boolean;
  /** Devices and graphics of the emulated host. */
  readonly hardware?: Pick<EmulatedHostOptions, 'pciDevices' | 'remoteFx'>;
  readonly config?: Partial<DriverConfig>;
  /** The emulated host's hardware. */
  readonly host?: Pick<
    EmulatedHostOptions,
    'numaNodes' | 'numaSpanning' | 'memoryMb' | 'cluster' | 'shares' | 'fibreChannel' | 'multipath'
  >;
  /** How the driver waits; by default by the clock. */
  readonly sleep?: CreateDriverOptions['sleep'];
  /** The driver's log; by default silent. */
  readonly log?: Logger;
}

/** An emulated host without guests, and a driver for it. */
export async function startTestHost(options: TestHostOptions = {}): Promise<TestHost> {
  const folder = await mkdtemp(join(tmpdir(), 'driver-'));
  const log = pino({ level: process.env['TEST_LOG'] ?? 'silent' });
  const emulated = await startEmulatedHost({
    name: 'HV1',
    release: options.release ?? '2022',
    stateDir: join(folder, 'host'),
    engine: 'none',
    credentials: CREDENTIALS,
    log,
    ...options.host,
    ...options.hardware,
    ...(options.refuse === undefined ? {} : { refuse: options.refuse }),
    guarded: options.guarded === true,
  });
  const opened: { host: HyperVHost; driver: VirtDriver }[] = [];
  const newClient = () =>
    createWsmanClient({
      url: emulated.url,
      auth: basicAuth({ user: CREDENTIALS.username, password: CREDENTIALS.password }),
      maxConnections: 16,
    });
  const connect = async (
    wrap = (client: WsmanClient) => client,
    config: Partial<DriverConfig> | undefined = options.config,
  ) => {
    const reach = mappedReach({ drives: { C: emulated.driveC }, pipes: emulated.pipes });
    const host = await connectHost({ url: emulated.url, client: wrap(newClient()), reach });
    const driver = createDriver({
      host,
      log: options.log ?? log,
      ...(options.sleep === undefined ? {} : { sleep: options.sleep }),
      config: { powerStateEventPollingIntervalSeconds: 3600, ...config },
    });
    await driver.initHost();
    opened.push({ host, driver });
    return { host, driver };
  };
  const { host, driver } = await connect();
  return {
    emulated,
    client: host.client,
    host,
    driver,
    folder,
    instances: join(emulated.driveC, 'OpenStack', 'Instances'),
    connect,
    close: async () => {
      for (const one of opened) {
        await one.driver.close();
        await one.host.close();
      }
      await emulated.stop('shut-down');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const uuid = (kind: string, number: number) =>
  `${kind}-0000-4000-8000-${number.toString(16).padStart(12, '0')}`;

export function testInstance(number: number, flavor: Partial<Instance['flavor']> = {}): Instance {
  return {
    uuid: uuid('11111111', number),
    name: `instance-${number.toString(16).padStart(8, '0')}`,
    hostname: `vm${number}`,
    displayName: `vm${number}`,
    projectId: 'p',
    userId: 'u',
    imageRef: uuid('22222222', 1),
    flavor: {
      flavorId: '1',
      name: 'm1.tiny',
      vcpus: 1,
      memoryMb: 512,
      rootGb: 1,
      ephemeralGb: 0,
      swapMb: 0,
      extraSpecs: {},
      ...flavor,
    },
    metadata: {},
  };
}

export function testVif(number: number): Vif {
  const hex = number.toString(16).padStart(6, '0');
  return {
    portId: uuid('33333333', number),
    mac: `fa:16:3e:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4)}`,
    networkId: 'n',
    networkLabel: 'private',
    vifType: 'hyperv',
    mtu: 1500,
    active: true,
    fixedIps: [],
  };
}

export function testImage(generation: 1 | 2, changes: Partial<ImageMeta> = {}): ImageMeta {
  return {
    id: uuid('22222222', generation),
    name: `gen${generation}`,
    diskFormat: generation === 2 ? 'vhdx' : 'vhd',
    containerFormat: 'bare',
    sizeBytes: 0,
    minDiskGb: 0,
    minRamMb: 0,
    properties: generation === 2 ? { hw_machine_type: 'hyperv-gen2' } : {},
    ...changes,
  };
}

/** Serves one file as every image, and counts how often it was asked for. */
export class FileImages implements ImageSource {
  downloads = 0;
  readonly #file: string;
  constructor(file: string) {
    this.#file = file;
  }
  async download(_imageId: string, target: string): Promise<void> {
    this.downloads += 1;
    await copyFile(this.#file, target);
  }
}

export async function diskImage(folder: string, format: 'vhd' | 'vhdx'): Promise<FileImages> {
  const path = join(folder, `image.${format}`);
  await rm(path, { force: true });
  if (format === 'vhdx') await createVhdx({ path, type: 'dynamic', virtualSize: 64 * MIB });
  else await createVhd({ path, type: 'dynamic', virtualSize: 64 * MIB });
  return new FileImages(path);
}

export function spawnRequest(
  images: ImageSource,
  changes: Partial<SpawnRequest> & { number?: number; generation?: 1 | 2 } = {},
): SpawnRequest {
  const { number = 1, generation = 2, ...rest } = changes;
  return {
    instance: testInstance(number),
    image: testImage(generation),
    vifs: [testVif(number)],
    images,
    ...rest,
  };
}

/** Everything below instances_path, but for the cached images themselves. */
export async function filesLeft(instances: string): Promise<readonly string[]> {
  const entries = await readdir(instances, { recursive: true });
  return entries.filter((entry) => !/^_base(?:\/[^.][^/]*)?$/.test(entry)).toSorted();
}
