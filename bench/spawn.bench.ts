/**
 * Round trips and time of one spawn, of twenty at once, and of one look at all machines, on an emulated host whose
 * machines have power states only, so that what is measured is the conversation. Run: npm run bench
 *
 * The Python driver's numbers for the same work, counted from its calls: 49 round trips a spawn (60 from a client
 * without optimised enumeration), and 1 + 4N for the states of N machines.
 */
import {
  diskImage,
  spawnRequest,
  startTestHost,
  type FileImages,
  type TestHost,
} from '../tests/support/driver-host.js';

const PYTHON = { spawn: 49, states: (machines: number) => 1 + 4 * machines };
const MANY = 20;
const UNPROVEN = [
  'create-differencing-with-size',
  'settings-by-base-class',
  'jobs-by-base-class',
  'summary-of-all',
];

/** Mean time of each phase over all spawns that told of it. */
class Phases {
  readonly #times = new Map<string, number[]>();
  readonly add = (phase: string, ms: number): void => {
    this.#times.set(phase, [...(this.#times.get(phase) ?? []), ms]);
  };
  toString(): string {
    const means = [...this.#times].map(
      ([phase, times]) => `${phase} ${(times.reduce((sum, ms) => sum + ms, 0) / times.length).toFixed(0)}`,
    );
    return `phases, mean ms: ${means.join(', ')}`;
  }
}

async function measure(
  test: TestHost,
  what: string,
  python: number,
  work: () => Promise<unknown>,
): Promise<void> {
  const before = test.host.counters.roundTrips;
  const start = performance.now();
  await work();
  const ms = performance.now() - start;
  const trips = test.host.counters.roundTrips - before;
  const columns = [
    what.padEnd(38),
    `${String(trips).padStart(5)} round trips`,
    `${ms.toFixed(0).padStart(6)} ms`,
  ];
  console.log(
    `${columns.join('  ')}   Python driver ${python}: ${(python / trips).toFixed(1)} times as many`,
  );
}

async function converse(test: TestHost, images: FileImages): Promise<void> {
  // The first spawns also fetch the image, read the host's facts, and learn how long its jobs take.
  await measure(test, 'first spawn, image fetched', PYTHON.spawn, () =>
    test.driver.spawn(spawnRequest(images)),
  );
  await test.driver.spawn(spawnRequest(images, { number: 2 }));
  const one = new Phases();
  await measure(test, 'one spawn (gen 2, one disk, one NIC)', PYTHON.spawn, () =>
    test.driver.spawn(spawnRequest(images, { number: 3, onPhase: one.add })),
  );
  console.log(`  ${one.toString()}`);
  const many = new Phases();
  await measure(test, `${MANY} spawns at once`, PYTHON.spawn * MANY, () =>
    Promise.all(
      Array.from({ length: MANY }, (_, i) =>
        test.driver.spawn(spawnRequest(images, { number: i + 4, onPhase: many.add })),
      ),
    ),
  );
  console.log(`  ${many.toString()}`);
  await measure(test, `states of ${MANY + 3} machines`, PYTHON.states(MANY + 3), () =>
    test.driver.listInstances(),
  );
}

async function run(title: string, refuse: readonly string[]): Promise<void> {
  const test = await startTestHost({ refuse });
  try {
    console.log(`\n${title}`);
    await converse(test, await diskImage(test.folder, 'vhdx'));
  } finally {
    await test.close();
  }
}

await run('with every shape of call', []);
await run('without the queries and the creation that docs/unproven.md lists', UNPROVEN);
await run('and one setting a call, as public clients send them', [...UNPROVEN, 'add-several-resources']);
