import { describe, expect, it } from 'vitest';
import { loadSchema } from './load-schema.js';

const V2 = 'root/virtualization/v2';
const schema = loadSchema();

describe('loadSchema', () => {
  it('reads once', () => {
    expect(loadSchema()).toBe(schema);
  });

  it('finds classes, properties and methods in any case and answers in the documented spelling', () => {
    const def = schema.classOf('ROOT/Virtualization/V2', 'msvm_COMPUTERsystem');
    expect(def?.name).toBe('Msvm_ComputerSystem');
    expect(def?.namespace).toBe(V2);
    expect(def && schema.property(def, 'enabledstate')?.name).toBe('EnabledState');
    expect(def && schema.method(def, 'requeststatechange')?.name).toBe('RequestStateChange');
  });

  it('knows nothing of an unknown namespace or class', () => {
    expect(schema.classOf('root/nowhere', 'Msvm_ComputerSystem')).toBeUndefined();
    expect(schema.classOf(V2, 'Msvm_Nothing')).toBeUndefined();
    expect(schema.withSubclasses(V2, 'Msvm_Nothing')).toEqual([]);
    expect(schema.classes('root/nowhere')).toEqual([]);
  });

  it('gives inherited properties and marks the usable keys, not the printed ones', () => {
    const def = schema.classOf(V2, 'Msvm_SerialPortSettingData');
    expect(def?.properties.get('HostResource')?.declaredBy).toMatch(/^CIM_|^Msvm_/u);
    expect(def?.keys).toEqual(['InstanceID']);
    const system = schema.classOf(V2, 'Msvm_ComputerSystem');
    const keys = [...(system?.properties.values() ?? [])].filter((item) => item.key).map((item) => item.name);
    expect(keys.toSorted()).toEqual(['CreationClassName', 'Name']);
  });

  it('follows inheritance', () => {
    expect(schema.isA(V2, 'msvm_memorysettingdata', 'cim_ResourceAllocationSettingData')).toBe(true);
    expect(schema.isA(V2, 'Msvm_MemorySettingData', 'Msvm_ResourceAllocationSettingData')).toBe(false);
    const jobs = schema.withSubclasses(V2, 'CIM_ConcreteJob').map((item) => item.name);
    expect(jobs).toContain('Msvm_StorageJob');
    expect(jobs).toContain('CIM_ConcreteJob');
  });

  it('resolves every class of every namespace', () => {
    for (const namespace of schema.namespaces()) {
      for (const def of schema.classes(namespace)) {
        for (const key of def.keys) expect(def.properties.get(key), `${def.name}.${key}`).toBeDefined();
      }
    }
    expect(schema.classes(V2)).toHaveLength(429);
  });

  it('applies the corrections', () => {
    const job = schema.classOf(V2, 'Msvm_ConcreteJob');
    expect(job?.properties.get('TimeBeforeRemoval')?.interval).toBe(true);
    const bios = schema.classOf(V2, 'Msvm_BIOSElement');
    expect(bios?.properties.get('LoadedStartingAddress')?.type).toBe('uint64');
    const inject = schema.classOf(V2, 'Msvm_ComputerSystem')?.methods.get('InjectNonMaskableInterrupt');
    expect(inject?.parameters.find((item) => item.name === 'Job')?.type).toBe('reference');
  });

  it('tells methods with a page from those that are only named', () => {
    const system = schema.classOf(V2, 'Msvm_ComputerSystem');
    expect(system?.methods.get('RequestStateChange')?.documented).toBe(true);
    // Named on the class's own page only, but described on its ancestor's.
    expect(system?.methods.get('SetPowerState')).toMatchObject({ documented: true });
    const copy = schema.classOf(V2, 'Msvm_CopyFileToGuestJob');
    expect(copy?.methods.get('StartService')).toMatchObject({ documented: false, parameters: [] });
  });

  it('has the classes outside the virtualization namespace', () => {
    for (const [namespace, name] of [
      ['root/cimv2', 'Win32_OperatingSystem'],
      ['root/cimv2', 'Win32_Processor'],
      ['root/cimv2', 'Win32_Process'],
      ['root/StandardCimv2', 'MSFT_NetAdapter'],
      ['root/microsoft/windows/storage', 'MSFT_Disk'],
      ['root/Microsoft/Windows/SMB', 'MSFT_SmbMapping'],
      ['root/Microsoft/Windows/Hgs', 'MSFT_HgsClientConfiguration'],
    ] as const) {
      expect(schema.classOf(namespace, name)?.name).toBe(name);
    }
    const process = schema.classOf('root/cimv2', 'Win32_Process');
    expect(process?.methods.get('Create')?.isStatic).toBe(true);
    expect(schema.classOf('root/cimv2', 'Win32_Directory')?.methods.has('Rename')).toBe(true);
    expect(schema.classOf('root/cimv2', 'Win32_OperatingSystem')?.keys).toEqual([]);
  });
});
