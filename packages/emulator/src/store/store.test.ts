import { loadSchema, parseWql } from '@nova-hyperv/wsman';
import type { CimInstance } from '@nova-hyperv/wsman';
import { describe, expect, it } from 'vitest';
import { CIMV2, V2, settingReference, v2 } from '../cim.js';
import { MethodTable } from '../methods.js';
import { HostProvider } from '../provider.js';
import { Associations } from './associations.js';
import { formatObjectPath } from './object-path.js';
import { ObjectStore } from './store.js';
import { hintOf } from './wql.js';

const ID = '11111111-2222-4333-8444-555555555555';
const caller = { user: 'tester' };

function setup(): {
  store: ObjectStore;
  associations: Associations;
  select: (wql: string) => Promise<CimInstance[]>;
  provider: HostProvider;
} {
  const store = new ObjectStore(loadSchema());
  const associations = new Associations(store);
  const provider = new HostProvider({
    store,
    associations,
    methods: new MethodTable(),
    version: '10.0',
    refuse: new Set(),
  });
  const select = async (wql: string): Promise<CimInstance[]> =>
    (await provider.query(caller, V2, parseWql(wql))).map((found) => found.instance);
  return { store, associations, select, provider };
}

function settings(id: string, name: string, more: CimInstance['properties'] = {}): CimInstance {
  return v2('Msvm_VirtualSystemSettingData', { InstanceID: `Microsoft:${id}`, ElementName: name, ...more });
}

describe('the object store', () => {
  it.each([
    ['an unknown class', v2('Msvm_Nothing', {}), /class Msvm_Nothing is unknown/],
    ['an unknown property', settings(ID, 'a', { Nothing: 1 }), /has no property Nothing/],
    ['a text for a number', settings(ID, 'a', { AutomaticStartupAction: '2' }), /uint16 is needed/],
    [
      'a number that does not fit',
      settings(ID, 'a', { AutomaticStartupAction: 65_536 }),
      /does not fit uint16/,
    ],
    ['one value for an array', settings(ID, 'a', { Notes: 'note' }), /an array is needed/],
    ['an array for one value', settings(ID, 'a', { ElementName: ['a'] }), /not an array/],
  ])('refuses %s', (_what, instance, message) => {
    expect(() => setup().store.put(instance)).toThrow(message);
  });

  it('gives properties their documented names and 64-bit integers as bigints', async () => {
    const { store } = setup();
    store.put(v2('msvm_memorysettingdata', { instanceid: 'Microsoft:x', VIRTUALQUANTITY: 512 }));
    const found = await store.get(settingReference('Msvm_MemorySettingData', 'microsoft:X'));
    expect(found).toMatchObject({
      className: 'Msvm_MemorySettingData',
      properties: { InstanceID: 'Microsoft:x', VirtualQuantity: 512n },
    });
  });

  it('unknown namespaces, classes and instances have their own errors', async () => {
    const { store } = setup();
    await expect(store.instances('root/nothing', 'X')).rejects.toMatchObject({ hresult: 0x8004100e });
    await expect(store.instances(CIMV2, 'X')).rejects.toMatchObject({ hresult: 0x80041010 });
    await expect(store.get(settingReference('Msvm_MemorySettingData', 'x'))).rejects.toMatchObject({
      hresult: 0x80041002,
    });
  });

  it('finds a service by one of its keys', async () => {
    const { store } = setup();
    const keys = {
      SystemCreationClassName: 'Msvm_ComputerSystem',
      SystemName: 'H',
      CreationClassName: 'Msvm_ImageManagementService',
      Name: 'vhdsvc',
    };
    store.put(v2('Msvm_ImageManagementService', keys));
    const reference = {
      kind: 'reference',
      namespace: V2,
      className: 'Msvm_ImageManagementService',
      keys: { CreationClassName: 'Msvm_ImageManagementService' },
    } as const;
    expect((await store.get(reference)).properties['Name']).toBe('vhdsvc');
  });

  it('an owner leaves with everything it has', async () => {
    const { store } = setup();
    store.put(settings(ID, 'a'), ID);
    store.put(settings('99999999-2222-4333-8444-555555555555', 'b'), '99999999-2222-4333-8444-555555555555');
    store.removeOwner(ID.toLowerCase());
    expect(await store.instances(V2, 'Msvm_VirtualSystemSettingData')).toHaveLength(1);
  });
});

function where(wql: string): ReturnType<typeof hintOf> {
  const query = parseWql(`SELECT * FROM X WHERE ${wql}`);
  return hintOf(query.kind === 'select' ? query.where : undefined);
}

describe('WQL', () => {
  const { store, select } = setup();
  store.put(settings(ID, 'Alpha_1', { SecureBootEnabled: true, AutomaticStartupAction: 2 }), ID);
  store.put(
    settings('99999999-2222-4333-8444-555555555555', "it's", {
      SecureBootEnabled: false,
      AutomaticStartupAction: 4,
    }),
    '99999999-2222-4333-8444-555555555555',
  );
  store.put(
    v2('Msvm_MemorySettingData', { InstanceID: `Microsoft:${ID}\\M`, VirtualQuantity: 4_294_967_296n }),
    ID,
  );
  store.put(
    v2('Msvm_ResourceAllocationSettingData', { InstanceID: `Microsoft:${ID}\\R`, ResourceType: 5 }),
    ID,
  );

  it.each([
    ["SELECT * FROM Msvm_VirtualSystemSettingData WHERE ElementName = 'alpha_1'", 1],
    ["SELECT * FROM msvm_virtualsystemsettingdata WHERE elementname = 'ALPHA_1'", 1],
    [String.raw`SELECT * FROM Msvm_VirtualSystemSettingData WHERE ElementName = 'it\'s'`, 1],
    ["SELECT * FROM Msvm_VirtualSystemSettingData WHERE ElementName LIKE 'Alpha%'", 1],
    ["SELECT * FROM Msvm_VirtualSystemSettingData WHERE ElementName LIKE 'Alpha[_]1'", 1],
    ["SELECT * FROM Msvm_VirtualSystemSettingData WHERE ElementName LIKE 'Alpha__'", 1],
    ["SELECT * FROM Msvm_VirtualSystemSettingData WHERE ElementName LIKE 'Alpha'", 0],
    ['SELECT * FROM Msvm_VirtualSystemSettingData WHERE SecureBootEnabled = TRUE', 1],
    ['SELECT * FROM Msvm_VirtualSystemSettingData WHERE NOT SecureBootEnabled = TRUE', 1],
    [
      'SELECT * FROM Msvm_VirtualSystemSettingData WHERE AutomaticStartupAction >= 2 AND AutomaticStartupAction < 4',
      1,
    ],
    [
      'SELECT * FROM Msvm_VirtualSystemSettingData WHERE AutomaticStartupAction = 2 OR AutomaticStartupAction = 4',
      2,
    ],
    ['SELECT * FROM Msvm_VirtualSystemSettingData WHERE Notes IS NULL', -1],
    ['SELECT * FROM Msvm_VirtualSystemSettingData WHERE Version IS NULL', 2],
    ['SELECT * FROM Msvm_VirtualSystemSettingData WHERE ElementName IS NOT NULL', 2],
    [`SELECT * FROM Msvm_VirtualSystemSettingData WHERE InstanceID LIKE 'Microsoft:${ID}%'`, 1],
    ['SELECT * FROM Msvm_MemorySettingData WHERE VirtualQuantity = 4294967296', 1],
    ["SELECT * FROM Msvm_MemorySettingData WHERE VirtualQuantity > '4294967295'", 1],
    ['SELECT * FROM Msvm_VirtualSystemSettingData WHERE Nothing = 1', -1],
    ['SELECT Nothing FROM Msvm_VirtualSystemSettingData', -1],
  ])('%s', async (wql, count) => {
    if (count < 0) await expect(select(wql)).rejects.toMatchObject({ hresult: 0x80041017 });
    else expect(await select(wql)).toHaveLength(count);
  });

  it('a base class returns its subclasses, a sibling does not', async () => {
    expect(
      await select(
        `SELECT * FROM CIM_ResourceAllocationSettingData WHERE InstanceID LIKE 'Microsoft:${ID}%'`,
      ),
    ).toHaveLength(2);
    expect(await select('SELECT * FROM Msvm_ResourceAllocationSettingData')).toHaveLength(1);
  });

  it('a projection has the asked properties and the keys', async () => {
    const [row] = await select(
      "SELECT elementname FROM Msvm_VirtualSystemSettingData WHERE ElementName LIKE 'A%'",
    );
    expect(Object.keys(row?.properties ?? {}).toSorted()).toStrictEqual(['ElementName', 'InstanceID']);
  });

  it('hints come from conditions that every row must meet', () => {
    expect([...where("A = 'X' AND B LIKE 'pre%'").equals]).toStrictEqual([['a', 'x']]);
    expect([...where("A = 'X' AND B LIKE 'pre%'").prefixes]).toStrictEqual([['b', 'pre']]);
    expect(where("A = 'X' OR B = 'Y'").equals.size).toBe(0);
    expect(where("NOT A = 'X'").equals.size).toBe(0);
  });
});

describe('associations', () => {
  const { store, associations, select, provider } = setup();
  const [one, other] = [
    settings(ID, 'one'),
    v2('Msvm_ComputerSystem', { CreationClassName: 'Msvm_ComputerSystem', Name: ID }),
  ];
  store.put(one);
  store.put(other);
  const ends = { ManagedElement: store.referenceTo(other), SettingData: store.referenceTo(one) };
  associations.add({
    namespace: V2,
    className: 'Msvm_SettingsDefineState',
    links: () => [v2('Msvm_SettingsDefineState', ends)],
  });
  const source = `{Msvm_ComputerSystem.CreationClassName="Msvm_ComputerSystem",Name="${ID.toLowerCase()}"}`;

  it.each([
    [`ASSOCIATORS OF ${source}`, 1],
    [`ASSOCIATORS OF ${source} WHERE ResultClass = Msvm_VirtualSystemSettingData`, 1],
    [`ASSOCIATORS OF ${source} WHERE ResultClass = Msvm_MemorySettingData`, 0],
    [`ASSOCIATORS OF ${source} WHERE AssocClass = CIM_ElementSettingData`, 0],
    [`ASSOCIATORS OF ${source} WHERE AssocClass = CIM_SettingsDefineState`, 1],
    [`ASSOCIATORS OF ${source} WHERE Role = ManagedElement ResultRole = SettingData`, 1],
    [`ASSOCIATORS OF ${source} WHERE Role = SettingData`, 0],
    [`REFERENCES OF ${source}`, 1],
    [`REFERENCES OF ${source} WHERE Role = SettingData`, 0],
  ])('%s', async (wql, count) => {
    expect(await select(wql)).toHaveLength(count);
  });

  it('an association class can be queried by an end, in any spelling of its path', async () => {
    const path = formatObjectPath(ends.SettingData, 'ANY')
      .replaceAll('\\', '\\\\')
      .replaceAll('"', String.raw`\"`);
    expect(await select(`SELECT * FROM Msvm_SettingsDefineState WHERE SettingData = '${path}'`)).toHaveLength(
      1,
    );
  });

  it('an association instance is found by its own reference', async () => {
    const [link] = await provider.enumerate(caller, V2, 'Msvm_SettingsDefineState');
    if (link === undefined) throw new Error('No link');
    expect(await provider.get(caller, link.reference)).toStrictEqual(link.instance);
  });

  it('a source that is not there is not found', async () => {
    await expect(
      select('ASSOCIATORS OF {Msvm_VirtualSystemSettingData.InstanceID="x"}'),
    ).rejects.toMatchObject({ hresult: 0x80041002 });
  });
});
