import { existsSync, renameSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { settingsReference } from './machines/model.js';
import { FakeEngine } from './testing/fake-engine.js';
import { buildMachine, destroy, power, stateOf } from './testing/machine-client.js';
import { wanted } from './testing/rule-host.js';
import { MANAGEMENT, call, codeOf, startTestHost } from './testing/test-host.js';
import type { TestHost } from './testing/test-host.js';

let test: TestHost;

afterEach(async () => {
  await test.close();
});

/** Runs work while the state folder takes no files, as when the file system is full. */
async function whileFull<T>(work: () => Promise<T>): Promise<T> {
  const folder = path.join(test.stateDir, 'machines');
  renameSync(folder, `${folder}.away`);
  try {
    return await work();
  } finally {
    renameSync(`${folder}.away`, folder);
  }
}

describe('what cannot be written', () => {
  it('a start fails, and leaves nothing running', async () => {
    test = await startTestHost();
    const { id } = await buildMachine(test, 'vm');
    expect(await whileFull(() => power(test, id, 2))).toBe(32768);
    expect(await stateOf(test, id)).toBe(3);
    expect(test.engine.running.size).toBe(0);
    expect(await power(test, id, 2)).toBe(0);
  });

  it('a machine that was turned off is seen as off', async () => {
    test = await startTestHost();
    const { id } = await buildMachine(test, 'vm');
    await power(test, id, 2);
    expect(await whileFull(() => power(test, id, 3))).toBe(32768);
    expect(await stateOf(test, id)).toBe(3);
    expect(await power(test, id, 2)).toBe(0);
  });

  it('a guest that stops by itself is seen as off', async () => {
    test = await startTestHost();
    const { id } = await buildMachine(test, 'vm');
    await power(test, id, 2);
    await whileFull(async () => {
      test.engine.stop(id, 'guest');
      await expect.poll(() => stateOf(test, id)).toBe(3);
    });
  });

  it('a hot-added adapter leaves the guest again', async () => {
    test = await startTestHost();
    const { id } = await buildMachine(test, 'vm');
    await power(test, id, 2);
    test.engine.calls.length = 0;
    const outcome = await whileFull(() =>
      call(test.client, MANAGEMENT, 'AddResourceSettings', {
        AffectedConfiguration: settingsReference(id),
        ResourceSettings: [wanted('synthetic-nic')],
      }),
    );
    expect(codeOf(outcome)).toBe(32768);
    expect(test.engine.calls.map((one) => one.split(' ')[0])).toStrictEqual(['attachNic', 'detachNic']);
  });
});

describe('a host that is killed while it destroys a machine', () => {
  it('has it still, or keeps nothing of it', async () => {
    const known: boolean[] = [];
    const engine = new (class extends FakeEngine {
      override async forget(machineId: string): Promise<void> {
        known.push(existsSync(path.join(test.stateDir, 'machines', `${machineId}.json`)));
        await super.forget(machineId);
      }
    })();
    test = await startTestHost({}, engine);
    const { id } = await buildMachine(test, 'vm');
    expect(await destroy(test, id)).toBe(0);
    expect(known).toStrictEqual([true]);
    expect(existsSync(path.join(test.stateDir, 'machines', `${id}.json`))).toBe(false);
  });
});
