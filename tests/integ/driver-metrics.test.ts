import { METRIC, STATE } from '@nova-hyperv/hyperv';
import type { WsmanClient } from '@nova-hyperv/wsman';
import { afterEach, describe, expect, it } from 'vitest';
import { capturedLog } from '../../packages/driver/src/test-support/captured-log.js';
import { wrapped } from '../support/wrapped-client.js';
import { diskImage, spawnRequest, startTestHost, testInstance } from '../support/driver-host.js';
import type { FileImages, TestHost, TestHostOptions } from '../support/driver-host.js';

let test: TestHost | undefined;
afterEach(async () => {
  await test?.close();
  test = undefined;
});

async function start(options: TestHostOptions): Promise<{ test: TestHost; images: FileImages }> {
  test = await startTestHost(options);
  return { test, images: await diskImage(test.folder, 'vhdx') };
}

const METERED = { enableInstanceMetricsCollection: true };

/** `class: collecting?` of all that can be measured on the host. */
async function collecting(client: WsmanClient): Promise<readonly string[]> {
  const links = await client.query('root/virtualization/v2', 'SELECT * FROM Msvm_MetricDefForME');
  return links
    .map(({ instance: { properties } }) => {
      const element = properties['Antecedent'];
      const name =
        typeof element === 'object' && element !== null && 'className' in element ? element.className : '';
      return `${name}: ${properties['MetricCollectionEnabled'] === 2 ? 'on' : 'off'}`;
    })
    .toSorted();
}

const ON = [
  ...Array.from({ length: 2 }, () => 'Msvm_ComputerSystem: on'),
  ...Array.from({ length: 2 }, () => 'Msvm_EthernetPortAllocationSettingData: on'),
  ...Array.from({ length: 4 }, () => 'Msvm_StorageAllocationSettingData: on'),
];

describe('metrics of an instance', () => {
  it('are collected from its creation on when the option says so, and cost no call otherwise', async () => {
    const { test: made, images } = await start({});
    const spawnCounted = async (config: { enableInstanceMetricsCollection?: boolean }, number: number) => {
      const calls: string[] = [];
      const { driver } = await made.connect(
        (client) => ({
          ...wrapped(client),
          invoke: (reference, method, parameters, options) => {
            calls.push(method);
            return client.invoke(reference, method, parameters, options);
          },
        }),
        config,
      );
      await driver.spawn(spawnRequest(images, { number }));
      const count = (method: string): number => calls.filter((call) => call === method).length;
      return { metrics: count('ControlMetrics'), meters: count('AddFeatureSettings') };
    };
    expect(await spawnCounted({}, 1)).toEqual({ metrics: 0, meters: 0 });
    const off = ON.map((line) => line.replace(/on$/, 'off')).toSorted();
    expect(await collecting(made.client)).toEqual(off);
    // The machine's two metrics, the disk, the port's two once it runs; a meter for each direction of IPv4 and IPv6.
    expect(await spawnCounted(METERED, 2)).toEqual({ metrics: 5, meters: 4 });
    expect(await collecting(made.client)).toEqual([...off, ...ON].toSorted());
  });

  it('that a host refuses are told, and the instance is made all the same', async () => {
    const { log, lines } = capturedLog('warn');
    const { test: made, images } = await start({ log, config: METERED });
    const refusing = await made.connect((client) => ({
      ...wrapped(client),
      associators: () => Promise.reject(new Error('not here')),
      invoke: async (reference, method, parameters, options) =>
        method === 'ControlMetrics'
          ? { returnValue: 2, out: {} }
          : await client.invoke(reference, method, parameters, options),
    }));
    await refusing.driver.spawn(spawnRequest(images));
    expect((await refusing.driver.listInstances()).map(({ uuid }) => uuid)).toEqual([testInstance(1).uuid]);
    // The machine's, the disk's, the port's.
    expect(lines.filter(({ msg }) => msg.includes('Metrics of the instance are not collected'))).toHaveLength(
      3,
    );
    expect(await refusing.driver.instanceDiagnostics(testInstance(1))).toMatchObject({
      processors: 1,
      disks: [{ readBytes: null, writtenBytes: null }],
      nics: [{ receivedBytes: null, sentBytes: null }],
    });
    expect(lines.slice(-2).map(({ msg }) => msg)).toEqual([
      expect.stringContaining('does not tell the metrics of a disk'),
      expect.stringContaining('does not tell the metrics of a switch port'),
    ]);
  });

  it('come back after a power off and a start, and are read as what Nova calls diagnostics', async () => {
    const { test: made, images } = await start({
      config: METERED,
    });
    await made.driver.spawn(spawnRequest(images));
    await made.driver.powerOff(testInstance(1), { timeoutSeconds: 0 });
    await expect.poll(() => collecting(made.client)).not.toEqual(ON);
    await made.driver.powerOn(testInstance(1));
    expect(await collecting(made.client)).toEqual(ON);
    // Two directions of two protocols, given once.
    expect(
      await made.client.query(
        'root/virtualization/v2',
        'SELECT * FROM Msvm_EthernetSwitchPortAclSettingData WHERE Action = 3',
      ),
    ).toHaveLength(4);
    expect(await made.driver.instanceDiagnostics(testInstance(1))).toEqual({
      state: 'running',
      driver: 'hyperv',
      hypervisor: 'hyperv',
      hypervisorOs: 'Windows 10.0.20348',
      uptimeSeconds: expect.any(Number),
      processors: 1,
      processorLoadPercent: 0,
      memoryMb: { used: 512, maximum: 512 },
      disks: [{ readBytes: 0, writtenBytes: 0 }],
      nics: [{ mac: 'fa:16:3e:00:00:01', receivedBytes: 0, sentBytes: 0 }],
    });
    const [machine] = await made.host.machines.findByName(testInstance(1).name);
    expect(machine && (await made.host.metrics.values(machine.system))).toEqual({ cpu: 0, memory: 512 });
    await expect(made.driver.instanceDiagnostics(testInstance(2))).rejects.toMatchObject({
      novaName: 'InstanceNotFound',
    });
  });

  it('come back too when somebody else starts the machine, those of disks made before the option was set included', async () => {
    const { test: plain, images } = await start({});
    await plain.driver.spawn(spawnRequest(images));
    const metered = await plain.connect(undefined, {
      ...METERED,
      powerStateEventPollingIntervalSeconds: 0.05,
    });
    const [machine] = await plain.host.machines.findByName(testInstance(1).name);
    if (machine === undefined) throw new Error('no machine');
    const seen: string[] = [];
    metered.driver.onLifecycle(({ transition }) => seen.push(transition));
    await plain.host.power.request(machine, STATE.off);
    await expect.poll(() => seen).toContain('stopped');
    expect(await collecting(plain.client)).not.toContain('Msvm_ComputerSystem: on');
    await plain.host.power.request(machine, STATE.running);
    await expect.poll(() => collecting(plain.client), { timeout: 10_000 }).toEqual(ON);
  });

  it('are all collected where the host names them in another language', async () => {
    const { test: made, images } = await start({});
    await made.driver.spawn(spawnRequest(images));
    const translated = await made.connect((client) => ({
      ...wrapped(client),
      query: async (namespace, wql, options) =>
        wql.includes('CIM_BaseMetricDefinition')
          ? (await client.query(namespace, wql, options)).map((found) => ({
              ...found,
              instance: {
                ...found.instance,
                properties: { ...found.instance.properties, ElementName: 'Durchschnitt' },
              },
            }))
          : await client.query(namespace, wql, options),
    }));
    const [machine] = await made.host.machines.findByName(testInstance(1).name);
    if (machine === undefined) throw new Error('no machine');
    await translated.host.metrics.enable(machine.system, [METRIC.cpu]);
    expect((await collecting(made.client)).filter((line) => line === 'Msvm_ComputerSystem: on')).toHaveLength(
      2,
    );
  });
});
