import type { CimValue } from '@nova-hyperv/wsman';
import { describe, expect, it } from 'vitest';
import { intervalOfMs, textsOf, v2 } from '../cim.js';
import { define, pathTo, wanted, withDisk } from '../testing/rule-host.js';
import { codeOf, find, hostMaker, kinds, running } from '../testing/rules.js';
import { addResource } from './add.js';
import { isKind } from './kinds.js';
import { idOf, resourcesOf, settingsId } from './model.js';
import type { Machine } from './model.js';
import { modifySystemSettings } from './system-settings.js';

const newHost = hostMaker();
const host = newHost();

function modifySystem(machine: Machine, properties: Readonly<Record<string, CimValue>>, on = host): Machine {
  return modifySystemSettings(
    machine,
    v2('Msvm_VirtualSystemSettingData', { InstanceID: settingsId(machine.id), ...properties }),
    on,
  );
}

describe('definition', () => {
  it('generation 1 has two IDE controllers, floppy, two serial ports, no NIC, no SCSI', () => {
    const machine = define(host, 1);
    const counts = (
      ['ide-controller', 'floppy-drive', 'serial-port', 'synthetic-nic', 'scsi-controller'] as const
    ).map((name) => kinds(machine, name));
    expect(counts).toStrictEqual([2, 1, 2, 0, 0]);
    const ide = resourcesOf(machine).filter((resource) => isKind(resource, 'ide-controller'));
    expect(ide.map((controller) => controller.properties['Address'])).toStrictEqual(['0', '1']);
  });

  it('generation 2 has Secure Boot on with the Windows template', () => {
    expect(define(host, 2).settings.properties).toMatchObject({
      SecureBootEnabled: true,
      SecureBootTemplateId: '1734C6E8-3154-4DDA-BA5F-A874CC483422',
    });
  });

  it('an unknown sub type is refused', () => {
    expect(codeOf(() => define(host, 2, { VirtualSystemSubType: 'Microsoft:Hyper-V:SubType:3' }))).toBe(
      32773,
    );
  });

  it('without a sub type it is generation 1', () => {
    expect(define(host, 2, { VirtualSystemSubType: null }).settings.properties['VirtualSystemSubType']).toBe(
      'Microsoft:Hyper-V:SubType:1',
    );
  });

  it('a 2012 R2 host has serial ports as plain resources and no later properties', () => {
    const old = newHost('2012R2');
    const machine = define(old, 2);
    expect(find(machine, 'serial-port').className).toBe('Msvm_ResourceAllocationSettingData');
    expect(machine.settings.properties).not.toHaveProperty('SecureBootTemplateId');
  });

  it('known-setting-ids: memory has an InstanceID that cannot be guessed', () => {
    const machine = define(newHost('2022', ['known-setting-ids']));
    expect(idOf(find(machine, 'memory'))).not.toContain('4764334D');
    expect(idOf(find(define(host), 'memory'))).toContain('4764334D');
  });
});

describe('system settings', () => {
  const off = define(host, 2);
  const one = define(host, 1);
  const cases: readonly (readonly [
    rule: string,
    machine: Machine,
    properties: Readonly<Record<string, CimValue>>,
    code: number,
  ])[] = [
    ['V1/V9 name', off, { ElementName: 'other' }, 0],
    ['V2 101 characters', off, { ElementName: 'x'.repeat(101) }, 32773],
    ['V2 100 characters', off, { ElementName: 'x'.repeat(100) }, 0],
    [
      'V8 a read-only property with another value',
      off,
      { VirtualSystemType: 'Microsoft:Hyper-V:System:Planned' },
      32773,
    ],
    ['V8 a read-only property as it is', off, { VirtualSystemType: 'Microsoft:Hyper-V:System:Realized' }, 0],
    ['V9 notes while running', running(off), { Notes: ['a', 'b'] }, 0],
    [
      'V11 a point for an interval',
      off,
      { AutomaticStartupActionDelay: { kind: 'datetime', iso: '2020-01-01T00:00:00Z' } },
      32768,
    ],
    ['V14 three devices', one, { BootOrder: [0, 1, 2] }, 32773],
    ['V14 a device twice', one, { BootOrder: [0, 1, 2, 2] }, 32773],
    ['V14 all four', one, { BootOrder: [3, 2, 1, 0] }, 0],
    ['V15 no boot source', off, { BootSourceOrder: ['Msvm_BootSourceSettingData.InstanceID="x"'] }, 32773],
    ['V16 too small', off, { LowMmioGapSize: 127n }, 32773],
    ['V16 largest', off, { LowMmioGapSize: 3584n }, 0],
    ['V18 vNUMA while running', running(off), { VirtualNumaEnabled: false }, 32775],
    ['V18 Secure Boot while running', running(off), { SecureBootEnabled: false }, 32775],
    ['V18 shutdown action while running', running(off), { AutomaticShutdownAction: 4 }, 0],
    ['V19 the data root', off, { ConfigurationDataRoot: String.raw`C:\other` }, 32773],
    ['N10 Secure Boot on generation 1', one, { SecureBootEnabled: true }, 32773],
    ['an unknown template', off, { SecureBootTemplateId: '00000000-0000-4000-8000-000000000000' }, 32773],
    ['the Linux template', off, { SecureBootTemplateId: '272E7447-90A4-4563-A4B9-8E4AB00526CE' }, 0],
    ['an unknown action', off, { AutomaticStartupAction: 7 }, 32773],
  ];
  it.each(cases)('%s', (_rule, machine, properties, code) => {
    expect(codeOf(() => modifySystem(machine, properties))).toBe(code);
  });

  it('null keeps', () => {
    expect(modifySystem(off, { ElementName: null, Notes: ['n'] }).settings.properties).toMatchObject({
      ElementName: 'vm',
      Notes: ['n'],
    });
  });

  it('the time-out is rounded up to whole minutes', () => {
    const machine = modifySystem(off, { AutomaticCriticalErrorActionTimeout: intervalOfMs(61_000) });
    expect(machine.settings.properties['AutomaticCriticalErrorActionTimeout']).toStrictEqual(
      intervalOfMs(120_000),
    );
  });

  it('what is left out is not booted from', () => {
    const { machine, controller } = withDisk(host, define(host));
    const drive = addResource(
      machine,
      wanted('dvd-drive', { Parent: pathTo(host, controller), AddressOnParent: '1' }),
      host,
    ).machine;
    const [, second] = textsOf(drive.settings.properties['BootSourceOrder']);
    expect(
      textsOf(
        modifySystem(drive, { BootSourceOrder: [second ?? ''] }).settings.properties['BootSourceOrder'],
      ),
    ).toStrictEqual([second]);
  });

  it('computed-boot-source: another spelling of the path is refused only there', () => {
    const strict = newHost('2022', ['computed-boot-source']);
    for (const [on, code] of [
      [host, 0],
      [strict, 32773],
    ] as const) {
      const { machine } = withDisk(on, define(on));
      const [path = ''] = textsOf(machine.settings.properties['BootSourceOrder']);
      expect(codeOf(() => modifySystem(machine, { BootSourceOrder: [path.replace('HV01', '.')] }, on))).toBe(
        code,
      );
      expect(codeOf(() => modifySystem(machine, { BootSourceOrder: [path] }, on))).toBe(0);
    }
  });
});
