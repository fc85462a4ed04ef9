import type { CimValue } from '@nova-hyperv/wsman';
import { describe, expect, it } from 'vitest';
import { numberOf, textOf, v2 } from '../cim.js';
import { deviceIdOf, pciExpressObjects, pciExpressReference } from '../devices/host-pci.js';
import { define, wanted } from '../testing/rule-host.js';
import { codeOf, find, hostMaker, running } from '../testing/rules.js';
import { addResource } from './add.js';
import { hostPath } from './build.js';
import { machineConfig } from './engine-config.js';
import { idOf } from './model.js';
import type { Machine } from './model.js';
import { modifyResource } from './modify.js';
import { removeResource } from './remove.js';
import type { RuleHost } from './rules.js';
import { modifySystemSettings } from './system-settings.js';

const newHost = hostMaker();
const SAFE = { AutomaticShutdownAction: 2 };

function devicePath(host: RuleHost, index = 0): string {
  const device = host.pci.all()[index];
  if (device === undefined) throw new Error('no device');
  return hostPath(host, pciExpressReference(device, host));
}

const pciOf = (host: RuleHost, path = devicePath(host)) => wanted('pci-express', { HostResource: [path] });

function changed(
  machine: Machine,
  kind: 'memory' | 'remotefx-display',
  properties: Record<string, CimValue>,
) {
  const resource = find(machine, kind);
  return v2(resource.className, { InstanceID: idOf(resource), ...properties });
}

describe('PCI Express devices', () => {
  const host = newHost('2022');
  const machine = define(host, 2, SAFE);

  it('D3: are the machine’s own, and listed a second time as such', () => {
    const { machine: owner, added } = addResource(machine, pciOf(host), host);
    expect(added.className).toBe('Msvm_PciExpressSettingData');
    const [own, other, ...more] = pciExpressObjects([owner], host).map(({ properties }) => properties);
    expect(more).toEqual([]);
    expect([textOf(own?.['SystemName']), textOf(other?.['SystemName'])]).toEqual(['HV01', owner.id]);
    expect(other?.['LocationPath']).toBe(own?.['LocationPath']);
    const busy: RuleHost = { ...host, holderOf: () => owner };
    expect(codeOf(() => addResource(define(host, 2, SAFE), pciOf(host), busy))).toBe(32774);
    expect(machineConfig(owner, host).pciDevices).toMatchObject([{ model: 'edu' }]);
  });

  it('D2: must have been dismounted from the host', () => {
    const mounted = { ...host.pci.all()[1]!, mounted: false };
    expect(
      codeOf(() =>
        addResource(machine, pciOf(host, hostPath(host, pciExpressReference(mounted, host))), host),
      ),
    ).toBe(32773);
    expect(codeOf(() => addResource(machine, pciOf(host, deviceIdOf(mounted)), host))).toBe(32773);
    expect(pciExpressObjects([], host)).toHaveLength(1);
  });

  it('D4: need the machine to be off, static memory, and a stop action that does not save', () => {
    expect(codeOf(() => addResource(running(machine), pciOf(host), host))).toBe(32775);
    expect(codeOf(() => addResource(define(host, 2), pciOf(host), host))).toBe(32773);
    const { machine: owner, added } = addResource(machine, pciOf(host), host);
    const dynamic = changed(owner, 'memory', { DynamicMemoryEnabled: true });
    expect(codeOf(() => modifyResource(owner, dynamic, host))).toBe(32773);
    const save = v2('Msvm_VirtualSystemSettingData', { AutomaticShutdownAction: 3 });
    expect(codeOf(() => modifySystemSettings(owner, save, host))).toBe(32773);
    expect(codeOf(() => removeResource(running(owner), idOf(added), host))).toBe(32775);
    const free = removeResource(owner, idOf(added), host);
    expect(codeOf(() => modifyResource(free, dynamic, host))).toBe(0);
  });

  it('that have gone back to the host keep the machine from starting', () => {
    const other = newHost('2022');
    const { machine: owner } = addResource(define(other, 2, SAFE), pciOf(other), other);
    other.pci.setMounted(other.pci.all()[0]!, true);
    expect(codeOf(() => machineConfig(owner, other))).toBe(32768);
  });

  it('D1: are not known before 10.0', () => {
    const old = newHost('2012R2');
    expect(codeOf(() => addResource(define(old, 1, SAFE), wanted('pci-express'), old))).not.toBe(0);
  });
});

const adapter = (properties: Record<string, CimValue>) => wanted('remotefx-display', properties);
function bare(host: RuleHost, generation: 1 | 2): Machine {
  const machine = define(host, generation);
  return removeResource(machine, idOf(find(machine, 'synthetic-display')), host);
}

describe('RemoteFX', () => {
  const ten = newHost('2016');
  it('F2: takes the place of the plain adapter', () => {
    expect(codeOf(() => addResource(define(ten), adapter({}), ten))).toBe(32773);
    const { machine } = addResource(
      bare(ten, 2),
      adapter({ MaximumMonitors: 2, MaximumScreenResolution: 3 }),
      ten,
    );
    expect(machineConfig(machine, ten).video).toEqual({ monitors: 2, width: 1920, height: 1200 });
    expect(codeOf(() => addResource(machine, wanted('synthetic-display'), ten))).toBe(32773);
  });

  const six = newHost('2012R2');
  it.each([
    ['F1 8 monitors at 1024x768', ten, 2, { MaximumScreenResolution: 0, MaximumMonitors: 8 }, 0],
    ['F1 9 monitors', ten, 2, { MaximumScreenResolution: 0, MaximumMonitors: 9 }, 32773],
    ['F1 2 monitors of 4K', ten, 2, { MaximumScreenResolution: 5, MaximumMonitors: 2 }, 32773],
    ['F1 an unknown resolution', ten, 2, { MaximumScreenResolution: 6 }, 32773],
    ['F1 100 MB', ten, 2, { VRAMSizeBytes: 104_857_600n }, 32773],
    ['F1 1 GB', ten, 2, { VRAMSizeBytes: 1_073_741_824n }, 0],
    ['F1 4K before 10.0', six, 1, { MaximumScreenResolution: 5 }, 32773],
    ['F1 4 monitors before 10.0', six, 1, { MaximumScreenResolution: 1, MaximumMonitors: 4 }, 0],
    ['N13 generation 2 before 10.0', six, 2, {}, 32773],
    ['F3 without a graphics processor', newHost('2022'), 2, {}, 32768],
  ] as const)('%s → %s', (_rule, host, generation, properties, code) => {
    expect(codeOf(() => addResource(bare(host, generation), adapter(properties), host))).toBe(code);
  });

  it('F4: changes only while the machine is off', () => {
    const { machine, added } = addResource(bare(ten, 2), adapter({}), ten);
    const more = changed(machine, 'remotefx-display', { MaximumMonitors: 3 });
    expect(numberOf(modifyResource(machine, more, ten).modified.properties['MaximumMonitors'])).toBe(3);
    expect(codeOf(() => modifyResource(running(machine), more, ten))).toBe(32775);
    expect(codeOf(() => removeResource(running(machine), idOf(added), ten))).toBe(32775);
  });

  it('cannot be had once an update has removed it', () => {
    const removed: RuleHost = { ...ten, remoteFx: 'removed' };
    expect(codeOf(() => addResource(bare(ten, 2), adapter({}), removed))).toBe(32768);
  });
});
