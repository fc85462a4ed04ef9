/**
 * Round trips and time of one spawn, of twenty at once, and of one look at all machines, on an emulated host whose
 * machines have power states only, so that what is measured is the conversation. Run: npm run bench
 *
 * The Python driver's numbers for the same work, counted from its calls: 49 round trips a spawn (60 from a client
 * without optimised enumeration), and 1 + 4N for the states of N machines.
 */
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import {
  createDriver,
  type ImageMeta,
  type Instance,
  type SpawnRequest,
  type VirtDriver,
} from '@nova-hyperv/driver';
import { startEmulatedHost } from '@nova-hyperv/emulator';
import { connectHost, mappedReach, type HyperVHost } from '@nova-hyperv/hyperv';
import { createVhdx } from '@nova-hyperv/vhd';
import { pino } from 'pino';

const PYTHON = { spawn: 49, states: (machines: number) => 1 + 4 * machines };
const MANY = 20;
const UNPROVEN = [
  'create-differencing-with-size',
  'settings-by-base-class',
  'jobs-by-base-class',
  'summary-of-all',
];
const log = pino({ level: 'silent' });

const image: ImageMeta = {
  id: randomUUID(),
  name: 'bench',
  diskFormat: 'vhdx',
  containerFormat: 'bare',
  sizeBytes: 4 * 2 ** 20,
  minDiskGb: 0,
  minRamMb: 0,
  properties: { hw_machine_type: 'hyperv-gen2' },
};

function instance(number: number): Instance {
  const name = `instance-${number.toString(16).padStart(8, '0')}`;
  return {
    uuid: randomUUID(),
    name,
    hostname: name,
    displayName: name,
    projectId: randomUUID(),
    userId: randomUUID(),
    imageRef: image.id,
    flavor: {
      flavorId: '1',
      name: 'm1.tiny',
      vcpus: 1,
      memoryMb: 512,
      rootGb: 1,
      ephemeralGb: 0,
      swapMb: 0,
      extraSpecs: {},
    },
    metadata: {},
  };
}

function request(number: number, imageFile: string, onPhase?: SpawnRequest['onPhase']): SpawnRequest {
  return {
    instance: instance(number),
    image,
    vifs: [
      {
        portId: randomUUID(),
        mac: `fa:16:3e:00:00:${number.toString(16).padStart(2, '0')}`,
        networkId: randomUUID(),
        networkLabel: 'private',
        vifType: 'hyperv',
        mtu: 1500,
        active: true,
        fixedIps: [],
      },
    ],
    images: { download: (_id, target) => copyFile(imageFile, target) },
    ...(onPhase === undefined ? {} : { onPhase }),
  };
}

async function measured<T>(host: HyperVHost, work: () => Promise<T>): Promise<{ trips: number; ms: number }> {
  const before = host.counters.roundTrips;
  const start = performance.now();
  await work();
  return { trips: host.counters.roundTrips - before, ms: performance.now() - start };
}

function row(what: string, trips: number, ms: number, python: number): void {
  const ratio = (python / trips).toFixed(1);
  console.log(
    `${what.padEnd(44)} ${String(trips).padStart(5)} round trips  ${ms.toFixed(0).padStart(6)} ms   Python driver ${python}: ${ratio} times as many`,
  );
}

async function withDriver(
  title: string,
  refuse: readonly string[],
  work: (host: HyperVHost, driver: VirtDriver, imageFile: string) => Promise<void>,
) {
  const dir = await mkdtemp(join(tmpdir(), 'nova-hyperv-bench-'));
  const imageFile = join(dir, 'image.vhdx');
  await createVhdx({ path: imageFile, type: 'dynamic', virtualSize: 64 * 2 ** 20 });
  const credentials = { username: 'Administrator', password: randomUUID() };
  const emulated = await startEmulatedHost({
    name: 'bench',
    release: '2022',
    stateDir: join(dir, 'host'),
    engine: 'none',
    credentials,
    refuse,
    log,
  });
  const host = await connectHost({
    url: emulated.url,
    credentials,
    reach: mappedReach({ drives: { C: emulated.driveC }, pipes: emulated.pipes }),
  });
  const driver = createDriver({ host, log, config: { powerStateEventPollingIntervalSeconds: 3600 } });
  try {
    console.log(`\n${title}`);
    await driver.initHost();
    await work(host, driver, imageFile);
  } finally {
    await driver.close();
    await host.close();
    await emulated.stop('shut-down');
    await rm(dir, { recursive: true });
  }
}

async function conversation(host: HyperVHost, driver: VirtDriver, imageFile: string): Promise<void> {
  // The first spawn also fetches the image and reads the host's facts.
  const first = await measured(host, () => driver.spawn(request(0, imageFile)));
  row('first spawn, image fetched', first.trips, first.ms, PYTHON.spawn);
  const phases: string[] = [];
  const one = await measured(host, () =>
    driver.spawn(request(1, imageFile, (phase, ms) => phases.push(`${phase} ${ms.toFixed(0)}`))),
  );
  row('one spawn (gen 2, one disk, one NIC)', one.trips, one.ms, PYTHON.spawn);
  console.log(`  phases in ms: ${phases.join(', ')}`);
  const many = await measured(host, () =>
    Promise.all(Array.from({ length: MANY }, (_, i) => driver.spawn(request(i + 2, imageFile)))),
  );
  row(`${MANY} spawns at once`, many.trips, many.ms, PYTHON.spawn * MANY);
  const states = await measured(host, () => driver.listInstances());
  row(`states of ${MANY + 2} machines`, states.trips, states.ms, PYTHON.states(MANY + 2));
}

await withDriver('with every shape of call', [], conversation);
await withDriver('without the queries and the creation that docs/unproven.md lists', UNPROVEN, conversation);
await withDriver(
  'and one setting a call, as public clients send them',
  [...UNPROVEN, 'add-several-resources'],
  conversation,
);
