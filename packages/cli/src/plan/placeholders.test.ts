import { expect, it } from 'vitest';
import {
  devicesToBe,
  PLANNED_INSTANCE,
  PLANNED_SWITCH,
  portsToBe,
  withIdentifiersOf,
} from './placeholders.js';

const [first] = portsToBe(1);
const planned = {
  instanceUuid: PLANNED_INSTANCE,
  memory: { startupMb: 1 },
  firmware: { bootOrder: [`nic:${first?.portId}`] },
  nics: [{ portId: first?.portId, mac: 'FA163E000000', switchId: PLANNED_SWITCH }],
  serialPorts: [{ pipe: `\\\\.\\pipe\\${PLANNED_INSTANCE}_rw` }],
};
const observed = {
  instanceUuid: 'u',
  memory: { startupMb: 2 },
  firmware: { bootOrder: ['nic:p'] },
  nics: [{ portId: 'p', mac: 'FA163EABCDEF', switchId: 's' }],
};

it('a plan takes the identifiers that it could not know, wherever they stand, and nothing else', () => {
  expect(withIdentifiersOf(planned, observed)).toEqual({
    ...observed,
    memory: { startupMb: 1 },
    serialPorts: [{ pipe: String.raw`\\.\pipe\u_rw` }],
  });
});

it('what a plan names itself stays', () => {
  const own = { ...planned, instanceUuid: 'other', nics: [{ portId: 'q', mac: 'M', switchId: 't' }] };
  expect(withIdentifiersOf(own, observed)).toEqual(own);
  expect(withIdentifiersOf(own, undefined)).toBe(own);
});

it('a plan takes the devices that were free, and names each that was not there', () => {
  const devices = devicesToBe('gpu:1, nic:1');
  expect(devices).toHaveLength(2);
  const given = { systemName: 'HV1', deviceId: 'Microsoft:1' };
  const taken = withIdentifiersOf({ pciDevices: devices }, { pciDevices: [given] });
  expect(taken).toEqual({ pciDevices: [given, devices[1]] });
  expect(devicesToBe('nonsense')).toEqual([]);
});
