import { isCimReference } from '@nova-hyperv/wsman';
import type { CimInstance, CimReference } from '@nova-hyperv/wsman';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { V2, reference, textOf, v2 } from '../cim.js';
import { systemReference } from '../machines/model.js';
import { FakeEngine } from '../testing/fake-engine.js';
import { add, buildMachine, destroy, pathOf, power } from '../testing/machine-client.js';
import type { Built } from '../testing/machine-client.js';
import { wanted } from '../testing/rule-host.js';
import { SteppedClock } from '../testing/stepped.js';
import { MANAGEMENT, startTestHost, succeed } from '../testing/test-host.js';
import type { TestHost } from '../testing/test-host.js';

const SERVICE = reference(V2, 'Msvm_MetricService', { CreationClassName: 'Msvm_MetricService' });
const MIB = 1024 * 1024;
const CPU = 'Aggregated Average CPU Utilization';
const [ENABLE, DISABLE, RESET] = [2, 3, 4];
const [RUNNING, OFF] = [2, 3];

let test: TestHost;
let engine: FakeEngine;
let clock: SteppedClock;
let vm: Built;

beforeEach(async () => {
  engine = new FakeEngine();
  clock = new SteppedClock();
  test = await startTestHost({ clock }, engine);
  vm = await buildMachine(test, 'metered');
});
afterEach(() => test.close());

const system = (): CimReference => systemReference(vm.id);

async function definition(name: string): Promise<CimReference> {
  const found = await test.client.query(
    V2,
    `SELECT * FROM CIM_BaseMetricDefinition WHERE ElementName = '${name}'`,
  );
  if (found[0] === undefined) throw new Error(`There is no ${name}`);
  return found[0].reference;
}

async function control(
  subject: CimReference | null,
  metric: CimReference | null,
  how = ENABLE,
): Promise<number> {
  const parameters = {
    ...(subject === null ? {} : { Subject: subject }),
    ...(metric === null ? {} : { Definition: metric }),
    MetricCollectionEnabled: how ?? 0,
  };
  return (await test.client.invoke(SERVICE, 'ControlMetrics', parameters)).returnValue;
}

/** Values of an element by the names of their definitions. */
async function values(element: CimReference): Promise<Record<string, string>> {
  const found = await test.client.associators(element, { associationClass: 'Msvm_MetricForME' });
  const names = new Map(
    (await test.client.query(V2, 'SELECT * FROM CIM_BaseMetricDefinition')).map(({ instance }) => [
      instance.properties['Id'],
      textOf(instance.properties['ElementName']),
    ]),
  );
  return Object.fromEntries(
    found.map(({ instance }) => [
      names.get(instance.properties['MetricDefinitionId'] ?? null) ?? '?',
      textOf(instance.properties['MetricValue']),
    ]),
  );
}

/** Names of the definitions that an element is linked with, and what they say. */
async function collected(element: CimReference): Promise<readonly number[]> {
  const links = await test.client.references(element, { resultClass: 'Msvm_MetricDefForME' });
  expect(links.every(({ instance }) => isCimReference(instance.properties['Dependent'] ?? null))).toBe(true);
  return links.map(({ instance }) => Number(instance.properties['MetricCollectionEnabled']));
}

function used(processorMs: number, readMib: number, requests: number): void {
  const drive = {
    id: 'scsi-0-0',
    readBytes: readMib * MIB,
    writtenBytes: 2 * readMib * MIB,
    readRequests: requests,
    writeRequests: requests,
    busyMs: requests,
  };
  engine.usage = { uptimeMs: 0, processorMs, drives: [drive], nics: [] };
}

describe('metrics of a machine and its disks', () => {
  it('are collected once they are turned on, from then on', async () => {
    expect(await power(test, vm.id, RUNNING)).toBe(0);
    expect(await collected(system())).toEqual([3, 3]);
    expect(await values(vm.disk)).toEqual({});
    used(5_000, 10, 100);
    expect(await control(system(), await definition(CPU))).toBe(0);
    expect(await control(vm.disk, null)).toBe(0);
    expect(await collected(system())).toEqual([2, 3]);
    expect(await collected(vm.disk)).toEqual([2, 2, 2, 2]);
    clock.advance(10_000);
    used(15_000, 110, 200);
    const [processor] = await test.client.query('root/cimv2', 'SELECT * FROM Win32_Processor');
    // One of its processors was busy all the time.
    expect(await values(system())).toEqual({
      [CPU]: String(Number(processor?.instance.properties['MaxClockSpeed'])),
    });
    expect(await values(vm.disk)).toEqual({
      'Disk Data Read': '100',
      'Disk Data Written': '200',
      'Average Disk Latency': '500',
      'Average Normalized Disk Throughput': '3840',
    });
  });

  it('begin anew with a reset, go on when they are turned on again, and end when they are turned off', async () => {
    await power(test, vm.id, RUNNING);
    await control(vm.disk, null);
    used(0, 8, 1);
    await control(vm.disk, null);
    expect(await values(vm.disk)).toMatchObject({ 'Disk Data Read': '8' });
    expect(await control(vm.disk, null, RESET)).toBe(0);
    expect(await values(vm.disk)).toMatchObject({ 'Disk Data Read': '0' });
    expect(await control(vm.disk, null, DISABLE)).toBe(0);
    expect(await values(vm.disk)).toEqual({});
    expect(await collected(vm.disk)).toEqual([3, 3, 3, 3]);
  });

  it('of processors and memory are lost when the machine goes off; none has values while it is off', async () => {
    expect([await control(system(), null), await control(vm.disk, null)]).toEqual([0, 0]);
    expect(await values(system())).toEqual({});
    await power(test, vm.id, RUNNING);
    used(0, 4, 1);
    expect(Object.keys(await values(system()))).toHaveLength(2);
    expect(await values(system())).toMatchObject({ 'Aggregated Average Memory Utilization': '1024' });
    await power(test, vm.id, OFF);
    expect([await values(system()), await values(vm.disk)]).toEqual([{}, {}]);
    expect([await collected(system()), await collected(vm.disk)]).toEqual([
      [3, 3],
      [2, 2, 2, 2],
    ]);
    await power(test, vm.id, RUNNING);
    expect(await values(vm.disk)).toMatchObject({ 'Disk Data Read': '4' });
  });

  it('are refused without a subject and a definition, for a definition of something else, and for what has none', async () => {
    expect(await control(null, null)).toBe(2);
    expect(await control(vm.disk, await definition(CPU))).toBe(2);
    expect(await control(system(), await definition('Disk Data Read'))).toBe(2);
    expect(await control(system(), null, 7)).toBe(2);
    const dvd = await add(
      test,
      vm.id,
      wanted('dvd-drive', { Parent: pathOf(vm.controller), AddressOnParent: '1' }),
    );
    expect(await control(dvd, null)).toBe(2);
    expect(await control({ ...vm.disk, keys: { InstanceID: 'Microsoft:nobody' } }, null)).toBe(2);
    expect(await control(null, await definition(CPU))).toBe(0);
    expect(await collected(system())).toEqual([2, 3]);
  });

  it('outlive the host’s process, and go with the machine', async () => {
    await control(vm.disk, null);
    const { stateDir } = test;
    await test.stop();
    test = await startTestHost({ clock, stateDir }, new FakeEngine());
    expect(await collected(vm.disk)).toEqual([2, 2, 2, 2]);
    expect(await destroy(test, vm.id)).toBe(0);
    expect(await test.client.query(V2, 'SELECT * FROM Msvm_MetricDefForME')).toEqual([]);
  });
});

const acl = (aclType: number, direction: number, action = 3): CimInstance =>
  v2('Msvm_EthernetSwitchPortAclSettingData', {
    AclType: aclType,
    Direction: direction,
    Action: action,
    Applicability: 1,
  });
const give = (...features: CimInstance[]): Promise<unknown> =>
  succeed(test.client, MANAGEMENT, 'AddFeatureSettings', {
    AffectedConfiguration: vm.connection,
    FeatureSettings: features,
  });
const carried = (mib: number): void => {
  const id = (vm.nic.keys['InstanceID'] ?? '').split('\\')[1] ?? '';
  const received = { ipv4: mib * MIB, ipv6: 2 * mib * MIB };
  const sent = { ipv4: 10 * mib * MIB, ipv6: 20 * mib * MIB };
  engine.usage = { uptimeMs: 0, processorMs: 0, drives: [], nics: [{ id, received, sent }] };
};
const trafficOf = async (): Promise<unknown> => values(vm.connection);

describe('metrics of a switch port', () => {
  it('are what its meters are for, since measuring began', async () => {
    await power(test, vm.id, RUNNING);
    carried(1);
    expect(await control(vm.connection, null)).toBe(0);
    expect(await trafficOf()).toEqual({});
    await give(acl(2, 1), acl(3, 2));
    carried(4);
    expect(await trafficOf()).toEqual({
      'Filtered Incoming Network Traffic': '3',
      'Filtered Outgoing Network Traffic': '60',
    });
    await give(acl(3, 1), acl(2, 2));
    expect(await trafficOf()).toEqual({
      'Filtered Incoming Network Traffic': '9',
      'Filtered Outgoing Network Traffic': '90',
    });
  });

  it('have no value by ACLs that allow or deny', async () => {
    await power(test, vm.id, RUNNING);
    await give(acl(2, 1, 1), acl(2, 2, 2));
    await control(vm.connection, null);
    expect(await trafficOf()).toEqual({});
  });

  it('are there while the machine runs, and are lost when it goes off', async () => {
    await give(acl(2, 1));
    expect(await control(vm.connection, null)).toBe(2);
    await power(test, vm.id, RUNNING);
    expect(await control(null, await definition('Filtered Incoming Network Traffic'))).toBe(0);
    expect(await collected(vm.connection)).toEqual([2, 3]);
    await power(test, vm.id, OFF);
    expect(await collected(vm.connection)).toEqual([3, 3]);
  });
});

const loadOf = (percent: number): unknown => [
  expect.objectContaining({ properties: expect.objectContaining({ ProcessorLoad: percent }) }),
];

it('the summary tells how busy the processors were since it was last asked for', async () => {
  const load = async (): Promise<unknown> => {
    const management = reference(V2, 'Msvm_VirtualSystemManagementService', {
      CreationClassName: 'Msvm_VirtualSystemManagementService',
    });
    const { out } = await test.client.invoke(management, 'GetSummaryInformation', {
      RequestedInformation: [0, 101],
    });
    return JSON.parse(JSON.stringify(out['SummaryInformation'])) as unknown;
  };
  expect(await load()).toEqual(loadOf(0));
  await power(test, vm.id, RUNNING);
  clock.advance(1_000);
  used(500, 0, 0);
  expect(await load()).toEqual(loadOf(50));
  clock.advance(1_000);
  used(750, 0, 0);
  expect(await load()).toEqual(loadOf(25));
});
