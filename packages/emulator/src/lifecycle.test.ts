import { rmSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { buildMachine, power, stateOf } from './testing/machine-client.js';
import { FakeEngine } from './testing/fake-engine.js';
import { defineMachine, startTestHost } from './testing/test-host.js';
import type { TestHost } from './testing/test-host.js';

let test: TestHost;

afterEach(async () => {
  await test.close();
});

/** Another process takes over the folder; the former one's guests are those of `engine`. */
async function restart(engine = new FakeEngine()): Promise<void> {
  const { stateDir } = test;
  await test.stop();
  test = await startTestHost({ stateDir }, engine);
}

describe('a restart of the host', () => {
  it('keeps machines, settings and switches', async () => {
    test = await startTestHost();
    const { id } = await buildMachine(test, 'kept', { Notes: ['n'] });
    const before = await test.client.query('root/virtualization/v2', 'SELECT * FROM CIM_SettingData');
    await restart();
    const after = await test.client.query('root/virtualization/v2', 'SELECT * FROM CIM_SettingData');
    expect(after.length).toBe(before.length);
    expect(new Set(after.map((found) => JSON.stringify(found.reference)))).toStrictEqual(
      new Set(before.map((found) => JSON.stringify(found.reference))),
    );
    expect(await power(test, id, 2)).toBe(0);
  });

  it('finds guests that outlived it, running or paused', async () => {
    test = await startTestHost();
    const running = await buildMachine(test, 'running');
    const paused = await buildMachine(test, 'paused');
    for (const { id } of [running, paused]) await power(test, id, 2);
    const engine = new FakeEngine();
    const startedAt = new Date();
    engine.outlived = [
      { machineId: running.id, state: 'running', startedAt },
      { machineId: paused.id, state: 'paused', startedAt },
    ];
    await restart(engine);
    expect(await stateOf(test, running.id)).toBe(2);
    expect(await stateOf(test, paused.id)).toBe(9);
    expect(await power(test, running.id, 3)).toBe(0);
  });

  it.each([
    [2, true, 3],
    [3, true, 2],
    [3, false, 3],
    [4, false, 2],
  ])('AutomaticStartupAction %i, running before: %s, gives state %i', async (action, wasRunning, state) => {
    test = await startTestHost();
    const { id } = await buildMachine(test, 'vm', { AutomaticStartupAction: action });
    if (wasRunning) await power(test, id, 2);
    await restart();
    await expect.poll(() => stateOf(test, id)).toBe(state);
  });

  it.each([
    ['listens', true, ['requestShutdown'], 4],
    ['does not listen', false, ['requestShutdown', 'turnOff'], 4],
    ['has no saved state', true, ['requestShutdown'], 3],
    ['is turned off', true, ['turnOff'], 2],
  ])('shutting down with a guest that %s', async (_how, listens, calls, action) => {
    const engine = new FakeEngine();
    engine.guestsListen = listens;
    test = await startTestHost({ shutdownMs: 300 }, engine);
    const { id } = await buildMachine(test, 'vm', {
      AutomaticShutdownAction: action,
      AutomaticStartupAction: 3,
    });
    await power(test, id, 2);
    engine.calls.length = 0;
    await test.client.close();
    await test.host.stop('shut-down');
    expect(engine.calls.map((call) => call.split(' ')[0])).toStrictEqual([...calls, 'close']);
    const { stateDir } = test;
    test = await startTestHost({ stateDir });
    await expect.poll(() => stateOf(test, id)).toBe(2);
  });
});

describe('the state folder', () => {
  it('belongs to one host at a time', async () => {
    test = await startTestHost();
    await expect(startTestHost({ stateDir: test.stateDir })).rejects.toMatchObject({
      code: 'EMULATOR_STATE',
    });
  });

  it('belongs to one release', async () => {
    test = await startTestHost();
    await defineMachine(test.client);
    await test.stop();
    const { stateDir } = test;
    await expect(startTestHost({ stateDir, release: '2012R2' })).rejects.toMatchObject({
      code: 'EMULATOR_OPTION',
    });
    rmSync(stateDir, { recursive: true });
    test = await startTestHost();
  });

  it.each([
    [{ name: 'a name' }],
    [{ credentials: { username: 'a', password: '' } }],
    [{ refuse: ['nothing'] }],
  ])('options %j are refused', async (options) => {
    test = await startTestHost();
    await expect(startTestHost(options)).rejects.toMatchObject({ code: 'EMULATOR_OPTION' });
  });
});
