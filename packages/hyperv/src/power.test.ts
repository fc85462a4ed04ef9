import { WsmanFault } from '@nova-hyperv/wsman';
import { describe, expect, it } from 'vitest';
import { Machines, systemReference } from './machines.js';
import { STATE } from './names.js';
import { Power } from './power.js';
import { ShapeMemory } from './shapes.js';
import { fakeClient, row } from './test-support/fake-client.js';
import type { FakeAnswers } from './test-support/fake-client.js';
import { HostWire } from './wire.js';

const MACHINE = { id: 'A', name: 'vm', system: systemReference('A') };

function powerOf(answers: FakeAnswers) {
  const client = fakeClient(answers);
  const wire = new HostWire(client, 'HV1', new ShapeMemory());
  return { client, power: new Power(wire, new Machines(wire)) };
}

const inState = (state: number) => [row('Msvm_ComputerSystem', { Name: 'A', EnabledState: state })];
const invalid = () => ({ returnValue: 32_775, out: {} });

describe('a state change that is refused as invalid', () => {
  it('is success when the machine is there already', async () => {
    const { power } = powerOf({ invoke: invalid, query: () => inState(STATE.running) });
    await power.request(MACHINE, STATE.running);
  });

  it('is an error that names both states when there is no way', async () => {
    const { power } = powerOf({ invoke: invalid, query: () => inState(STATE.saved) });
    await expect(power.request(MACHINE, STATE.paused)).rejects.toMatchObject({
      code: 'HYPERV_INVALID_STATE',
      message: expect.stringMatching(/is saved and cannot be brought to "paused"/),
    });
  });

  it('is tried again when the machine has arrived between the refusal and the question', async () => {
    let asked = 0;
    const { power } = powerOf({
      invoke: () => {
        asked += 1;
        return asked < 2 ? invalid() : { returnValue: 0, out: {} };
      },
      query: () => inState(STATE.off),
    });
    await power.request(MACHINE, STATE.running);
    expect(asked).toBe(2);
  });

  it('is tried again while the machine is on its way somewhere', async () => {
    let asked = 0;
    const { power } = powerOf({
      invoke: () => {
        asked += 1;
        return asked < 2 ? invalid() : { returnValue: 0, out: {} };
      },
      query: () => inState(STATE.starting),
    });
    await power.request(MACHINE, STATE.off);
    expect(asked).toBe(2);
  });

  it('is "not found" when the machine is gone', async () => {
    const { power } = powerOf({ invoke: invalid, query: () => [] });
    await expect(power.request(MACHINE, STATE.off)).rejects.toMatchObject({ code: 'HYPERV_NOT_FOUND' });
    const removed = powerOf({
      invoke: () => {
        throw new WsmanFault({ subcode: 'InternalError', message: 'Not found', hresult: 0x8004_1002 });
      },
    });
    await expect(removed.power.request(MACHINE, STATE.off)).rejects.toMatchObject({
      code: 'HYPERV_NOT_FOUND',
    });
  });
});

describe('guest shut-down', () => {
  it.each([
    [0, 'accepted'],
    [32_782, 'accepted'],
    [32_780, 'not-ready'],
    [32_781, 'not-ready'],
  ])('an answer of %i is %s', async (returnValue, expected) => {
    const { power } = powerOf({
      query: () => [row('Msvm_ShutdownComponent', { InstanceID: 'x' })],
      invoke: () => ({ returnValue, out: {} }),
    });
    expect(await power.requestShutdown(MACHINE, 'test')).toBe(expected);
  });

  it('is impossible without the component', async () => {
    expect(await powerOf({}).power.requestShutdown(MACHINE, 'test')).toBe('not-running');
  });
});

describe('destroy', () => {
  it('turns off, removes, and is harmless when the machine is gone', async () => {
    const { client, power } = powerOf({ query: () => inState(STATE.running) });
    await power.destroy(MACHINE);
    expect(client.calls).toEqual(['RequestStateChange', 'DestroySystem']);
    const gone = powerOf({});
    await gone.power.destroy(MACHINE);
    expect(gone.client.calls).toEqual([]);
  });
});
