import type { CimInstance } from '@nova-hyperv/wsman';
import { V2, reference, sameText, textOf, textsOf, v2 } from '../cim.js';
import { HV, HyperVError } from '../errors.js';
import { known } from '../machines/build.js';
import { isKind } from '../machines/kinds.js';
import { idOf, resourcesOf } from '../machines/model.js';
import type { Machine } from '../machines/model.js';
import type { RuleHost } from '../machines/rules.js';
import type { PciDeviceOption } from '../options.js';
import type { StateFiles } from '../state-files.js';
import { parseObjectPath } from '../store/object-path.js';
import { PCI_MODELS } from './pci-models.js';
import type { PciModelName } from './pci-models.js';

/** One physical device of the host. */
export interface HostPciDevice {
  readonly model: PciModelName;
  /** Place on the host's PCI Express bus. */
  readonly bus: number;
  readonly device: number;
  readonly function: number;
  /** `PCIROOT(0)#PCI(1C00)#PCI(0000)`: the same whether the host or a machine has it. */
  readonly locationPath: string;
  /** Given back to the host by MountAssignableDevice, or never taken from it. */
  readonly mounted: boolean;
}

const FILE = 'pci-devices';
/** The first root port of the emulated chipset, and the bus behind it. */
const FIRST_ROOT_PORT = 0x1c;
const FIRST_BUS = 3;
const PORTS_PER_DEVICE = 8;

/**
 * The host's physical PCI devices: which of them it has given up (dismounted), and which machine has which. What is mounted survives a
 * restart of the host; which machine has a device stands in the machine's own settings.
 */
export class HostPci {
  readonly #files: StateFiles;
  #devices: readonly HostPciDevice[];

  constructor(options: readonly PciDeviceOption[], files: StateFiles) {
    this.#files = files;
    const mounted = readMounted(files);
    this.#devices = options.map((option, index) => {
      const locationPath = locationOf(index);
      return {
        model: option.model,
        bus: FIRST_BUS + index,
        device: 0,
        function: 0,
        locationPath,
        mounted: mounted.get(locationPath) ?? option.mounted ?? false,
      };
    });
  }

  all(): readonly HostPciDevice[] {
    return this.#devices;
  }

  /** The device behind an object path or a reference to Msvm_PciExpress of the host: only dismounted ones have one. */
  byPath(path: string, host: RuleHost): HostPciDevice | undefined {
    const parsed = parseObjectPath(path, V2);
    if (parsed === undefined || !sameText(parsed.reference.className, 'Msvm_PciExpress')) return undefined;
    const keys = new Map(
      Object.entries(parsed.reference.keys).map(([name, value]) => [name.toLowerCase(), value]),
    );
    if (!sameText(keys.get('systemname') ?? '', host.name)) return undefined;
    const deviceId = keys.get('deviceid') ?? '';
    return this.#devices.find((device) => !device.mounted && sameText(deviceIdOf(device), deviceId));
  }

  byInstanceOrLocation(instancePath: string, locationPath: string): HostPciDevice | undefined {
    return this.#devices.find(
      (device) =>
        (instancePath !== '' && sameText(instancePathOf(device), instancePath)) ||
        (locationPath !== '' && sameText(device.locationPath, locationPath)),
    );
  }

  setMounted(device: HostPciDevice, mounted: boolean): HostPciDevice {
    const changed = { ...device, mounted };
    const devices = this.#devices.map((one) => (one.locationPath === device.locationPath ? changed : one));
    this.#files.write(FILE, {
      format: 1,
      mounted: Object.fromEntries(devices.map((one) => [one.locationPath, one.mounted])),
    });
    this.#devices = devices;
    return changed;
  }
}

function readMounted(files: StateFiles): ReadonlyMap<string, boolean> {
  const content = files.read(FILE);
  if (typeof content !== 'object' || content === null || !('mounted' in content)) return new Map();
  const { mounted } = content;
  if (typeof mounted !== 'object' || mounted === null) return new Map();
  return new Map(Object.entries(mounted).map(([path, value]) => [path, value === true]));
}

function locationOf(index: number): string {
  const port = FIRST_ROOT_PORT + Math.floor(index / PORTS_PER_DEVICE);
  const place = `${hex(port, 2)}${hex(index % PORTS_PER_DEVICE, 2)}`;
  return `PCIROOT(0)#PCI(${place})#PCI(0000)`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0');
}

/** The plug-and-play instance: dismounted devices belong to the bus driver that hands devices to machines. */
export function instancePathOf(device: HostPciDevice): string {
  const { vendorId, deviceId, subsystem, revision } = PCI_MODELS[device.model];
  const enumerator = device.mounted ? 'PCI' : 'PCIP';
  return `${enumerator}\\VEN_${vendorId}&DEV_${deviceId}&SUBSYS_${subsystem}&REV_${revision}\\4&${hex(0x10_0000 + device.bus, 8)}&0&00E0`;
}

export function deviceIdOf(device: HostPciDevice): string {
  return `Microsoft:${instancePathOf(device)}`;
}

/** The machine's setting that holds a device. */
export function holderOf(
  device: HostPciDevice,
  machines: Iterable<Machine>,
  host: RuleHost,
): { readonly machine: Machine; readonly setting: CimInstance } | undefined {
  for (const machine of machines) {
    const setting = resourcesOf(machine).find(
      (resource) => isKind(resource, 'pci-express') && deviceOf(resource, host) === device,
    );
    if (setting !== undefined) return { machine, setting };
  }
  return undefined;
}

/** The host's device that a machine's setting names; undefined when the host has it no more. */
export function deviceOf(setting: CimInstance, host: RuleHost): HostPciDevice | undefined {
  return host.pci.byPath(textsOf(setting.properties['HostResource'])[0] ?? '', host);
}

/**
 * `Msvm_PciExpress`: each device that the host has given up; one that a machine has appears a second time, as the machine's, with the
 * same location path.
 */
export function pciExpressObjects(machines: Iterable<Machine>, host: RuleHost): readonly CimInstance[] {
  const all = [...machines];
  return host.pci
    .all()
    .filter((device) => !device.mounted)
    .flatMap((device) => {
      const holder = holderOf(device, all, host);
      const own = pciExpress(device, host, host.name.toUpperCase(), deviceIdOf(device));
      if (holder === undefined) return [own];
      const port = idOf(holder.setting).slice(`Microsoft:${holder.machine.id}\\`.length);
      return [
        own,
        pciExpress(
          device,
          host,
          holder.machine.id,
          `Microsoft:${holder.machine.id}\\${port}\\${deviceIdOf(device)}`,
        ),
      ];
    });
}

function pciExpress(device: HostPciDevice, host: RuleHost, system: string, deviceId: string): CimInstance {
  const model = PCI_MODELS[device.model];
  return v2(
    'Msvm_PciExpress',
    known(host, 'Msvm_PciExpress', {
      SystemCreationClassName: 'Msvm_ComputerSystem',
      SystemName: system,
      CreationClassName: 'Msvm_PciExpress',
      DeviceID: deviceId,
      DeviceInstancePath: instancePathOf(device),
      LocationPath: device.locationPath,
      FunctionNumber: device.function,
      ElementName: model.description,
      Name: model.description,
      Caption: 'PCI Express Device',
      Description: model.description,
      EnabledState: 2,
      RequestedState: 12,
      HealthState: 5,
      OperationalStatus: [2],
      Status: 'OK',
    }),
  );
}

/** A reference in the form in which clients address a host's device. */
export function pciExpressReference(device: HostPciDevice, host: RuleHost): ReturnType<typeof reference> {
  return reference(V2, 'Msvm_PciExpress', {
    SystemCreationClassName: 'Msvm_ComputerSystem',
    SystemName: host.name.toUpperCase(),
    CreationClassName: 'Msvm_PciExpress',
    DeviceID: deviceIdOf(device),
  });
}

/** A device by what a client says of it, or Hyper-V's refusal. */
export function requireDevice(pci: HostPci, instancePath: string, locationPath: string): HostPciDevice {
  const device = pci.byInstanceOrLocation(instancePath, locationPath);
  if (device !== undefined) return device;
  throw new HyperVError(
    HV.invalidParameter,
    `The host has no PCI Express device '${textOf(instancePath) || locationPath}'.`,
  );
}
