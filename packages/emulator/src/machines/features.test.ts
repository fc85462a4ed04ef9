import type { CimInstance, CimValue } from '@nova-hyperv/wsman';
import { describe, expect, it } from 'vitest';
import { numberOf, textOf, v2 } from '../cim.js';
import { define, pathTo, switchPath, wanted } from '../testing/rule-host.js';
import { codeOf, hostMaker } from '../testing/rules.js';
import { addResource } from './add.js';
import { addFeature, modifyFeature, removeFeature } from './features.js';
import { idOf } from './model.js';
import type { Machine } from './model.js';

const newHost = hostMaker();
const host = newHost();

function feature(name: string, properties: Readonly<Record<string, CimValue>>): CimInstance {
  return v2(`Msvm_EthernetSwitchPort${name}SettingData`, properties);
}

function acl(direction: number): CimInstance {
  return feature('ExtendedAcl', { Direction: direction, Action: 1, Weight: 10 });
}

describe('port features', () => {
  const nic = addResource(define(host), wanted('synthetic-nic'), host);
  const port = addResource(
    nic.machine,
    wanted('connection', { Parent: pathTo(host, nic.added), HostResource: [switchPath(host)] }),
    host,
  );
  const add = (machine: Machine, wish: CimInstance): { machine: Machine; feature: CimInstance } =>
    addFeature(machine, idOf(port.added), wish, host);

  const cases: readonly (readonly [rule: string, wish: CimInstance, code: number])[] = [
    ['E7 VLAN 4095', feature('Vlan', { OperationMode: 1, AccessVlanId: 4095 }), 32773],
    ['E7 VLAN 4094', feature('Vlan', { OperationMode: 1, AccessVlanId: 4094 }), 0],
    ['E10 offload, which every port has', feature('Offload', { IOVOffloadWeight: 100 }), 32773],
    ['E11 reservation below 10 MiB', feature('Bandwidth', { Reservation: 1n }), 32773],
    [
      'E11 reservation above limit',
      feature('Bandwidth', { Reservation: 30_000_000n, Limit: 20_000_000n }),
      32773,
    ],
    [
      'E11 in order',
      feature('Bandwidth', { Reservation: 20_000_000n, Limit: 30_000_000n, BurstLimit: 40_000_000n }),
      0,
    ],
    ['E9 security', feature('Security', { AllowMacSpoofing: true }), 0],
    ['an ACL without direction', feature('Acl', { Action: 1, AclType: 2 }), 32773],
    ['an ACL of no type', feature('Acl', { Action: 1, Direction: 1 }), 32773],
  ];
  it.each(cases)('%s', (_rule, wish, code) => {
    expect(codeOf(() => add(port.machine, wish))).toBe(code);
  });

  it('a VLAN is not modified but removed and added', () => {
    const vlan = add(port.machine, feature('Vlan', { OperationMode: 1, AccessVlanId: 7 }));
    expect(textOf(vlan.feature.properties['InstanceID'])).toContain(idOf(port.added));
    const again = feature('Vlan', { InstanceID: idOf(vlan.feature), AccessVlanId: 8 });
    expect(codeOf(() => modifyFeature(vlan.machine, again))).toBe(32768);
    expect(codeOf(() => add(vlan.machine, again))).toBe(32773);
    const replaced = add(removeFeature(vlan.machine, idOf(vlan.feature)), again);
    expect(numberOf(replaced.feature.properties['AccessVlanId'])).toBe(8);
  });

  it('security is modified in place', () => {
    const security = add(port.machine, feature('Security', { AllowMacSpoofing: false }));
    const changed = modifyFeature(
      security.machine,
      feature('Security', { InstanceID: idOf(security.feature), AllowMacSpoofing: true }),
    );
    expect(changed.feature.properties['AllowMacSpoofing']).toBe(true);
  });

  it('weights of extended ACLs are unique for each direction', () => {
    const machine = add(port.machine, acl(1)).machine;
    expect(codeOf(() => add(machine, acl(1)))).toBe(32773);
    expect(codeOf(() => add(machine, acl(2)))).toBe(0);
  });
});
