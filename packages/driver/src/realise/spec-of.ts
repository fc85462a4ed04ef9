import { bootDeviceOfDrive, compareDrives } from '../plan/vm-spec.js';
import type {
  BiosBootDevice,
  BootDevice,
  FirmwareSpec,
  NicSpec,
  SerialPortSpec,
  VideoSpec,
  VmSpec,
} from '../plan/vm-spec.js';
import { BIOS_DEVICES, SHUTDOWN_ACTIONS, templateOf } from './values.js';
import { keyOf } from './rows.js';
import { instanceIdOf } from './observed.js';
import type { ObservedMachine } from './observed.js';

/**
 * The spec that a machine fulfils. NICs stand in the order that `like` names them, for a host keeps no order of its own; others
 * follow. Throws nothing: what the host does not show becomes empty or zero, so that a comparison shows it.
 */
export function specOf(
  machine: ObservedMachine,
  like: {
    readonly nics: readonly Pick<NicSpec, 'portId'>[];
    readonly video?: VideoSpec;
  } = { nics: [] },
): VmSpec {
  const { settings, memory, processor } = machine;
  const rank = new Map(like.nics.map((nic, index) => [nic.portId, index]));
  return {
    name: settings?.name ?? '',
    instanceUuid: settings?.note ?? '',
    generation: settings?.generation ?? 1,
    directory: settings?.dataRoot ?? '',
    firmware: firmwareOf(machine),
    security: {
      secureBoot: settings?.secureBoot === true && templateOf(settings.secureBootTemplateId),
      vtpm: settings?.vtpm ?? false,
      shielded: settings?.shielded ?? false,
    },
    processors: {
      count: processor?.count ?? 0,
      limitFeatures: processor?.limitFeatures ?? false,
      nestedVirtualization: processor?.nestedVirtualization ?? false,
      numa:
        settings?.numa === true
          ? {
              processorsPerNode: processor?.perNumaNode ?? 0,
              memoryMbPerNode: memory?.perNumaNodeMb ?? 0,
              nodesPerSocket: processor?.numaNodesPerSocket ?? 0,
            }
          : null,
      limit: processor?.limit ?? 0,
      reservation: processor?.reservation ?? 0,
      weight: processor?.weight ?? 0,
    },
    memory: {
      dynamic: memory?.dynamic ?? false,
      startupMb: memory?.startupMb ?? 0,
      minimumMb: memory?.minimumMb ?? 0,
      maximumMb: memory?.maximumMb ?? 0,
    },
    controllers: machine.controllers.map(({ bus, number }) => ({ bus, number })),
    drives: machine.drives
      .map(({ bus, controller, slot, kind, image, physical }) => ({
        bus,
        controller,
        slot,
        kind,
        path: image?.path ?? '',
        iopsLimit: image?.iopsLimit ?? 0,
        ...(physical === undefined ? {} : { volumeId: physical.volumeId }),
      }))
      .toSorted(compareDrives),
    nics: machine.nics
      .map(({ portId, mac, connection }) => ({
        portId,
        mac,
        switchId: connection?.switchId ?? '',
        macSpoofing: connection?.security?.macSpoofing ?? false,
      }))
      .toSorted((a, b) => (rank.get(a.portId) ?? rank.size) - (rank.get(b.portId) ?? rank.size)),
    serialPorts: [serialPort(machine, 1), serialPort(machine, 2)],
    pciDevices: machine.pciDevices.map(({ systemName, deviceId }) => ({ systemName, deviceId })),
    video: videoOf(machine, like.video),
    automaticStart: 'none',
    automaticShutdown:
      SHUTDOWN_ACTIONS.find(([, value]) => value === settings?.shutdownAction)?.[0] ?? 'save',
    chassisAssetTag: settings?.chassisAssetTag ?? '',
  };
}

/** Video memory that nobody asked for is the host's own affair. */
function videoOf({ video }: ObservedMachine, like: VideoSpec | undefined): VideoSpec {
  const spec = video?.spec ?? { kind: 'synthetic' };
  if (spec.kind !== 'remotefx' || like?.kind !== 'remotefx' || like.vramMb !== null) return spec;
  return { ...spec, vramMb: null };
}

function serialPort(machine: ObservedMachine, number: 1 | 2): SerialPortSpec {
  return { number, pipe: machine.serialPorts[number - 1]?.pipe ?? null };
}

function firmwareOf(machine: ObservedMachine): FirmwareSpec {
  if (machine.settings?.generation !== 2) {
    const order = machine.settings?.bootOrder ?? [];
    const names = order.map((value) => BIOS_DEVICES.find(([, number]) => number === value)?.[0]);
    return { kind: 'bios', bootOrder: names.filter((name): name is BiosBootDevice => name !== undefined) };
  }
  const devices = machine.settings.bootSourceOrder.map((path) => deviceOfBootSource(machine, path));
  return { kind: 'uefi', bootOrder: devices.filter((device): device is BootDevice => device !== undefined) };
}

/** A boot source's InstanceID is its device's with `\B` after it. */
export function deviceOfBootSource(machine: ObservedMachine, path: string): BootDevice | undefined {
  const id = keyOf(path, 'InstanceID')?.toLowerCase();
  if (id === undefined) return undefined;
  const belongs = (deviceId: string) => id.startsWith(`${deviceId.toLowerCase()}\\`);
  const drive = machine.drives.find((candidate) => belongs(instanceIdOf(candidate.reference)));
  if (drive !== undefined) return bootDeviceOfDrive(drive);
  const nic = machine.nics.find((candidate) => belongs(instanceIdOf(candidate.reference)));
  return nic === undefined ? undefined : `nic:${nic.portId}`;
}
