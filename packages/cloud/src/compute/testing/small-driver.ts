import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DriverError,
  POWER_STATE,
  type InstanceRef,
  type InstanceState,
  type SpawnRequest,
  type VirtDriver,
} from '@nova-hyperv/driver';

/** A host whose machines are entries of a map: for tests of everything above a driver. */
export function createSmallDriver(nodeName: string, hypervisorVersion = 10_000): VirtDriver {
  const machines = new Map<string, InstanceState>();
  const consoles = new Map<string, string>();
  const boots = (uuid: string, text: string): void =>
    void consoles.set(uuid, `${consoles.get(uuid) ?? ''}${text}\n`);
  const find = (instance: InstanceRef): InstanceState => {
    const machine = machines.get(instance.uuid);
    if (machine === undefined)
      throw new DriverError('InstanceNotFound', `Instance ${instance.uuid} could not be found.`);
    return machine;
  };
  const power = (instance: InstanceRef, powerState: InstanceState['powerState']): void =>
    void machines.set(instance.uuid, { ...find(instance), powerState });
  return {
    nodeName,
    initHost: async () => undefined,
    traits: () => ['COMPUTE_IMAGE_TYPE_VHD'],
    hostResources: async () => ({
      hypervisorHostname: nodeName,
      hypervisorType: 'hyperv',
      hypervisorVersion,
      windowsVersion: '10.0.14393',
      vcpus: 8,
      memoryMb: 16_384,
      memoryMbUsed: 512,
      localGb: 100,
      localGbUsed: 1,
      diskAvailableLeastGb: 99,
      cpuInfo: {
        arch: 'x86_64',
        model: 'm',
        vendor: 'v',
        topology: { cells: 1, sockets: 1, cores: 8, threads: 1 },
        features: [],
      },
      supportedInstances: [['x86_64', 'hyperv', 'hvm']],
      uptimeSeconds: 60,
    }),
    listInstances: async () => [...machines.values()],
    getInfo: async (instance) => find(instance),
    async spawn({ instance, images }: SpawnRequest) {
      if (images === undefined) throw new Error('no images');
      machines.set(instance.uuid, {
        uuid: instance.uuid,
        name: instance.name,
        powerState: POWER_STATE.RUNNING,
      });
      boots(instance.uuid, `boot of ${instance.displayName}`);
    },
    async destroy(instance) {
      machines.delete(instance.uuid);
    },
    async powerOn(instance) {
      power(instance, POWER_STATE.RUNNING);
      boots(instance.uuid, 'power on');
    },
    powerOff: async (instance) => power(instance, POWER_STATE.SHUTDOWN),
    async reboot(instance, type) {
      power(instance, POWER_STATE.RUNNING);
      boots(instance.uuid, `reboot ${type}`);
    },
    migrateDiskAndPowerOff: async ({ instance }) => power(instance, POWER_STATE.SHUTDOWN),
    async finishMigration({ instance, powerOn }) {
      if (powerOn) power(instance, POWER_STATE.RUNNING);
      boots(instance.uuid, `resized to ${instance.flavor.name}`);
    },
    confirmMigration: async () => undefined,
    async finishRevertMigration(instance, { powerOn }) {
      power(instance, powerOn ? POWER_STATE.RUNNING : POWER_STATE.SHUTDOWN);
      boots(instance.uuid, 'reverted');
    },
    async instanceDiagnostics(instance) {
      find(instance);
      return {
        state: 'running',
        driver: 'hyperv',
        hypervisor: 'hyperv',
        hypervisorOs: 'Windows 10.0.14393',
        uptimeSeconds: 61,
        processors: 1,
        processorLoadPercent: 12,
        memoryMb: { used: 512, maximum: 512 },
        disks: [{ readBytes: 3_145_728, writtenBytes: 1_048_576 }],
        nics: [{ mac: 'fa:16:3e:00:00:01', receivedBytes: 2_097_152, sentBytes: 0 }],
      };
    },
    volumeConnector: async () => ({ host: nodeName }),
    attachVolume: async () => undefined,
    detachVolume: async () => undefined,
    extendVolume: async () => undefined,
    volumeMetadata: async () => [],
    removeGhostVolumes: async () => [],
    async snapshot({ instance, upload }) {
      const { name } = find(instance);
      const localPath = join(tmpdir(), `${name}-${instance.uuid}.vhdx`);
      await writeFile(localPath, `disk of ${name}`);
      await upload({ localPath, diskFormat: 'vhdx' });
      await rm(localPath);
    },
    cleanUpSnapshot: async () => undefined,
    consoleOutput: async (instance) => Buffer.from(consoles.get(instance.uuid) ?? ''),
    removeLeftovers: async () => [],
    manageImageCache: async () => undefined,
    onLifecycle: () => undefined,
    close: async () => undefined,
  };
}
