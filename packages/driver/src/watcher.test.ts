import type { MachineSummary } from '@nova-hyperv/hyperv';
import { afterEach, describe, expect, it } from 'vitest';
import { capturedLog } from './test-support/captured-log.js';
import { StateWatcher } from './watcher.js';

const UUID = '2f1c0d3e-0000-4000-8000-000000000001';
const machine = (state: number): MachineSummary => ({
  id: 'X',
  name: 'instance-00000001',
  note: UUID,
  state,
});

describe('the watcher of states', () => {
  let watcher: StateWatcher | undefined;
  afterEach(async () => {
    await watcher?.close();
  });

  function watch(summaries: () => Promise<readonly MachineSummary[]>) {
    const told: string[] = [];
    const { log, lines } = capturedLog();
    watcher = new StateWatcher({
      host: { name: 'HV1', summaries },
      intervalMs: 1,
      log,
      onEvent: ({ transition }) => told.push(transition),
      onGone: (uuid) => told.push(`gone ${uuid}`),
      onBack: () => told.push('back'),
    });
    watcher.start([machine(2)]);
    return { told, lines };
  }

  it('tells of changes, of machines that are gone, and once of a host that does not answer', async () => {
    let calls = 0;
    const { told, lines } = watch(() => {
      calls += 1;
      if (calls === 1) return Promise.resolve([machine(3)]);
      if (calls < 5) return Promise.reject(new Error('no answer'));
      return Promise.resolve(calls < 7 ? [machine(2)] : []);
    });
    await expect.poll(() => told).toEqual(['stopped', 'back', 'started', `gone ${UUID}`]);
    expect(lines.map(({ level }) => level)).toEqual([40, 30]);
    expect(lines[0]?.msg).toMatch(/HV1 does not tell .* Check that it is up/);
  });

  it('ends while the host hangs', async () => {
    let asked = false;
    watch(() => {
      asked = true;
      return new Promise(() => undefined);
    });
    await expect.poll(() => asked).toBe(true);
    await watcher?.close();
  });
});
