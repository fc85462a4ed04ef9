import type { DriveSpec, NicSpec, VmSpec } from '@nova-hyperv/driver';
import { table } from '../commands/vhd/describe.js';

/** A machine's spec as people read it. */
export function describeSpec(spec: VmSpec): string {
  return table([
    ['machine', `${spec.name}, generation ${spec.generation}`],
    ['instance', spec.instanceUuid],
    ['folder', spec.directory],
    [
      'firmware',
      `${spec.firmware.kind.toUpperCase()}, boots ${spec.firmware.bootOrder.join(', ') || 'nothing'}`,
    ],
    ['security', securityOf(spec)],
    ['processors', processorsOf(spec)],
    ['NUMA', numaOf(spec)],
    ['memory', memoryOf(spec)],
    ...spec.controllers.flatMap(({ bus, number }) => {
      const drives = spec.drives.filter((drive) => drive.bus === bus && drive.controller === number);
      const name = `${bus.toUpperCase()} controller ${number}`;
      return drives.length === 0
        ? [[name, 'empty'] as const]
        : drives.map((drive) => [name, driveOf(drive)] as const);
    }),
    ...spec.nics.map((nic) => ['network adapter', nicOf(nic)] as const),
    ...spec.serialPorts.map(({ number, pipe }) => [`COM${number}`, pipe ?? 'not connected'] as const),
    ['other devices', devicesOf(spec)],
    ['host starts', spec.automaticStart === 'none' ? 'stays off' : spec.automaticStart],
    ['host shuts down', spec.automaticShutdown],
    ['chassis asset tag', spec.chassisAssetTag],
  ]);
}

function securityOf({ security }: VmSpec): string {
  return Object.entries(security)
    .map(([name, value]) => `${name} ${value === false ? 'off' : value === true ? 'on' : String(value)}`)
    .join(', ');
}

function processorsOf({ processors }: VmSpec): string {
  const { count, limit, reservation, weight, nestedVirtualization, limitFeatures } = processors;
  return [
    String(count),
    `limit ${limit / 1000} %`,
    `reservation ${reservation / 1000} %`,
    `weight ${weight}`,
    ...(nestedVirtualization ? ['nested virtualization'] : []),
    ...(limitFeatures ? ['features limited'] : []),
  ].join(', ');
}

function numaOf({ processors: { numa } }: VmSpec): string {
  if (numa === null) return 'one node';
  return `nodes of ${numa.processorsPerNode} processors and ${numa.memoryMbPerNode} MB, ${numa.nodesPerSocket} a socket`;
}

function memoryOf({ memory }: VmSpec): string {
  if (!memory.dynamic) return `${memory.startupMb} MB, static`;
  return `${memory.startupMb} MB at start, ${memory.minimumMb} to ${memory.maximumMb} MB`;
}

function driveOf({ slot, kind, path, iopsLimit, volumeId }: DriveSpec): string {
  const holds = volumeId === undefined ? path || 'empty' : `volume ${volumeId}, a disk of the host`;
  return `${slot}: ${kind} ${holds}${iopsLimit === 0 ? '' : `, at most ${iopsLimit} IOPS of 8 KiB`}`;
}

function nicOf({ portId, mac, switchId, macSpoofing }: NicSpec): string {
  return `port ${portId}, MAC ${mac}, switch ${switchId || 'none'}${macSpoofing ? ', MAC spoofing' : ''}`;
}

function devicesOf({ pciDevices, video }: VmSpec): string {
  return [displayOf(video), ...pciDevices.map(({ deviceId }) => `PCI device ${deviceId}`)].join(', ');
}

function displayOf(video: VmSpec['video']): string {
  if (video.kind === 'synthetic') return 'synthetic display';
  const memory = video.vramMb === null ? '' : `, ${video.vramMb} MB`;
  const monitors = `${video.monitors} monitor${video.monitors === 1 ? '' : 's'}`;
  return `RemoteFX display (${monitors}, WMI resolution ${video.resolution}${memory})`;
}
