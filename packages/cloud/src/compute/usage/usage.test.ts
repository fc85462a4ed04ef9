import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALICE, BOB, NovaBench } from '../testing/bench.js';

interface Usage {
  readonly tenant_id: string;
  readonly total_hours: number;
  readonly total_memory_mb_usage: number;
  readonly server_usages?: readonly {
    readonly name: string;
    readonly state: string;
    readonly hours: number;
  }[];
}

let bench: NovaBench;
beforeEach(async () => {
  bench = await NovaBench.create();
  await bench.addHost('hv1');
});
afterEach(() => bench.close());

/** A server of Alice's that ran between two moments of 2026-01-01, or still runs. */
async function ran(name: string, from: string, to: string | null): Promise<void> {
  const id = await bench.bootId({ name }, { as: ALICE });
  await bench.instances.save(id, { launchedAt: new Date(`2026-01-01T${from}Z`) });
  if (to === null) return;
  await bench.instances.save(id, { terminatedAt: new Date(`2026-01-01T${to}Z`) });
  await bench.instances.destroy(id);
}

const PERIOD = 'start=2026-01-01T02:00:00&end=2026-01-01 06:00:00.000000';

describe('usage', () => {
  it('counts the hours of the period, of deleted servers too', async () => {
    await ran('before', '00:00:00', '01:00:00');
    await ran('gone', '01:00:00', '03:30:00');
    await ran('running', '05:00:00', null);
    await ran('after', '07:00:00', null);
    // Only now: before, hosts have to be seen as up by the clock of their heartbeats.
    bench.now = () => new Date('2026-01-01T08:00:00Z');
    const answer = await bench.ask('GET', `/os-simple-tenant-usage/p-alice?${PERIOD}`, { as: ALICE });
    expect(answer.status).toBe(200);
    const { tenant_usage: usage } = answer.json<{ tenant_usage: Usage }>();
    expect(usage).toMatchObject({ tenant_id: 'p-alice', total_hours: 2.5, total_memory_mb_usage: 1280 });
    expect(usage.server_usages).toMatchObject([
      { name: 'gone', state: 'terminated', hours: 1.5 },
      { name: 'running', state: 'active', hours: 1 },
    ]);
    const all = await bench.ask('GET', `/os-simple-tenant-usage?${PERIOD}`);
    expect(all.json<{ tenant_usages: Usage[] }>().tenant_usages).toMatchObject([
      { tenant_id: 'p-alice', total_hours: 2.5 },
    ]);
    expect(all.text).not.toContain('server_usages');
    // What runs has not yet run in the future: 1 + 2.5 + 3 + 1 hours.
    const tomorrow = '/os-simple-tenant-usage/p-alice?start=2026-01-01&end=2026-01-02';
    const whole = await bench.ask('GET', tomorrow, { as: ALICE });
    expect(whole.json<{ tenant_usage: Usage }>().tenant_usage.total_hours).toBe(7.5);
  });

  it('is the own project’s business, and wants dates in order', async () => {
    const path = '/os-simple-tenant-usage/p-alice';
    expect((await bench.ask('GET', '/os-simple-tenant-usage', { as: BOB })).status).toBe(403);
    expect((await bench.ask('GET', path, { as: BOB })).status).toBe(403);
    expect((await bench.ask('GET', path, { as: ALICE })).json()).toEqual({ tenant_usage: {} });
    expect((await bench.ask('GET', `${path}?start=soon`, { as: ALICE })).status).toBe(400);
    const turned = '?start=2026-01-02&end=2026-01-01';
    expect((await bench.ask('GET', path + turned, { as: ALICE })).text).toMatch(/cannot occur after the end/);
  });
});
