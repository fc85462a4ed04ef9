import { statSync } from 'node:fs';
import type { CimInstance } from '@nova-hyperv/wsman';
import { V2, isTrue, listOf, numberOf, sameText, textOf, textsOf } from '../cim.js';
import type { DriveConfig, FirmwareConfig, MachineConfig, NicConfig } from '../engine/engine.js';
import { HV, HyperVError } from '../errors.js';
import { SECURE_BOOT_TEMPLATES } from '../releases.js';
import { parseObjectPath } from '../store/object-path.js';
import { virtualNodes } from '../numa/virtual-nodes.js';
import { hasTpm, isShielded } from '../security/security-settings.js';
import { remoteFxOf } from './display-rules.js';
import { isKind } from './kinds.js';
import { pipeOf } from './modify.js';
import {
  childrenOf,
  generationOf,
  idOf,
  nameOf,
  parentOf,
  pathTarget,
  resourceById,
  resourcesOf,
} from './model.js';
import type { Machine } from './model.js';
import { assignedDevices } from './pci-rules.js';
import { unitConfig } from './physical-drives.js';
import type { RuleHost } from './rules.js';

/**
 * What the engine must run for a machine. Paths are this machine's. Throws what a start answers when a file or a
 * switch is not there.
 */
export function machineConfig(machine: Machine, host: RuleHost): MachineConfig {
  const settings = machine.settings.properties;
  const drives = drivesOf(machine, host);
  const ports = resourcesOf(machine).filter((resource) => isKind(resource, 'serial-port'));
  const [memory, processor] = [singleOf(machine, 'memory'), singleOf(machine, 'processor')];
  const pciDevices = assignedDevices(machine, host);
  const video = remoteFxOf(machine);
  return {
    id: machine.id,
    name: nameOf(machine),
    generation: generationOf(machine),
    memoryMb: numberOf(memory?.properties['VirtualQuantity'], 1024),
    processors: numberOf(processor?.properties['VirtualQuantity'], 1),
    numaNodes: virtualNodes(machine.settings, memory, processor),
    nestedVirtualization: isTrue(processor?.properties['ExposeVirtualizationExtensions']),
    biosGuid: textOf(settings['BIOSGUID']).replaceAll(/[{}]/g, ''),
    chassisAssetTag: textOf(settings['ChassisAssetTag']),
    serialNumber: textOf(settings['BIOSSerialNumber']),
    firmware: firmwareOf(machine, drives),
    drives,
    scsiControllers: resourcesOf(machine)
      .filter((resource) => isKind(resource, 'scsi-controller'))
      .map((_, number) => number),
    nics: nicsOf(machine, host),
    ...(hasTpm(machine) ? { tpm: true } : {}),
    // A shielded guest has none: nobody on the host hears or types anything there.
    serialPorts: isShielded(machine)
      ? []
      : ports.map((port) => {
          const pipe = pipeOf(port);
          return pipe === undefined ? {} : { pipe };
        }),
    ...(pciDevices.length === 0 ? {} : { pciDevices }),
    ...(video === undefined ? {} : { video }),
  };
}

function singleOf(machine: Machine, name: 'memory' | 'processor'): CimInstance | undefined {
  return resourcesOf(machine).find((resource) => isKind(resource, name));
}

/** Id of the drive that a medium is in, as the engine knows it. */
export function driveIdOf(machine: Machine, medium: CimInstance): string | undefined {
  const drive = resourceById(machine, parentOf(medium) ?? '');
  const place = drive === undefined ? undefined : placeOf(machine, drive);
  return place === undefined ? undefined : driveId(place.bus, place.controller, place.slot);
}

/** Where a drive sits. */
function placeOf(machine: Machine, drive: CimInstance): Pick<DriveConfig, 'bus' | 'controller' | 'slot'> {
  const onController = (controller: CimInstance): boolean =>
    idOf(controller).toLowerCase() === parentOf(drive);
  const [scsi, ide] = (['scsi-controller', 'ide-controller'] as const).map((kind) =>
    resourcesOf(machine).filter((resource) => isKind(resource, kind)),
  );
  const bus = (scsi ?? []).some(onController) ? 'scsi' : 'ide';
  const controller = ((bus === 'scsi' ? scsi : ide) ?? []).findIndex(onController);
  return { bus, controller, slot: Number(textOf(drive.properties['AddressOnParent'])) };
}

function drivesOf(machine: Machine, host: RuleHost): DriveConfig[] {
  const found: DriveConfig[] = [];
  for (const drive of resourcesOf(machine).filter((resource) =>
    isKind(resource, 'disk-drive', 'physical-drive', 'dvd-drive'),
  )) {
    const { bus, controller, slot } = placeOf(machine, drive);
    const isDvd = isKind(drive, 'dvd-drive');
    const medium = childrenOf(machine, idOf(drive))[0];
    found.push({
      id: driveId(bus, controller, slot),
      bus,
      controller,
      slot,
      kind: isDvd ? 'dvd' : 'disk',
      ...(medium === undefined ? {} : mediumConfig(medium, host, isDvd)),
      ...(isKind(drive, 'physical-drive') ? { unit: unitConfig(drive, host) } : {}),
    });
  }
  return found;
}

function driveId(bus: string, controller: number, slot: number): string {
  return `${bus}-${controller}-${slot}`;
}

function mediumConfig(
  medium: CimInstance,
  host: RuleHost,
  isDvd: boolean,
): Pick<DriveConfig, 'path' | 'readOnly' | 'iopsLimit'> {
  const file = textsOf(medium.properties['HostResource'])[0] ?? '';
  const local = host.paths.toLocal(file);
  if (statSync(local, { throwIfNoEntry: false })?.isFile() !== true) {
    throw new HyperVError(
      HV.fileNotFound,
      `The system cannot find the file specified: '${file}' (0x80070002).`,
    );
  }
  return { path: local, readOnly: isDvd, iopsLimit: numberOf(medium.properties['IOPSLimit']) };
}

function nicsOf(machine: Machine, host: RuleHost): NicConfig[] {
  return resourcesOf(machine)
    .filter((resource) => isKind(resource, 'synthetic-nic', 'legacy-nic'))
    .map((nic) => {
      const switchId = connectedSwitch(machine, nic, host);
      return {
        id: nicId(nic),
        type: isKind(nic, 'legacy-nic') ? 'legacy' : 'synthetic',
        mac: macText(textOf(nic.properties['Address'])),
        ...(maySpoof(machine, nic) ? { macSpoofing: true } : {}),
        ...(switchId === undefined ? {} : { switchId }),
      };
    });
}

/** Whether the port of an adapter's connection allows other addresses than the adapter's own. */
function maySpoof(machine: Machine, nic: CimInstance): boolean {
  const connection = childrenOf(machine, idOf(nic))[0];
  if (connection === undefined) return false;
  const prefix = `${idOf(connection)}\\`.toLowerCase();
  return resourcesOf(machine).some(
    (resource) =>
      resource.className === 'Msvm_EthernetSwitchPortSecuritySettingData' &&
      idOf(resource).toLowerCase().startsWith(prefix) &&
      resource.properties['AllowMacSpoofing'] === true,
  );
}

/** The GUID in a network adapter's InstanceID. */
export function nicId(nic: CimInstance): string {
  return idOf(nic).split('\\')[1] ?? idOf(nic);
}

function macText(address: string): string {
  return (address.toLowerCase().match(/../g) ?? []).join(':');
}

function connectedSwitch(machine: Machine, nic: CimInstance, host: RuleHost): string | undefined {
  const connection = childrenOf(machine, idOf(nic))[0];
  const path = textsOf(connection?.properties['HostResource'])[0];
  // EnabledState 3 of a connection: its cable is unplugged.
  if (
    connection === undefined ||
    path === undefined ||
    numberOf(connection.properties['EnabledState'], 2) === 3
  )
    return undefined;
  const parsed = parseObjectPath(path, V2);
  const found = parsed === undefined ? undefined : host.findSwitch(parsed.reference);
  if (found === undefined) {
    throw new HyperVError(
      HV.failed,
      `The virtual switch of the network adapter '${textOf(nic.properties['ElementName'])}' does not exist: ${path}`,
    );
  }
  return textOf(found.properties['Name']);
}

function firmwareOf(machine: Machine, drives: readonly DriveConfig[]): FirmwareConfig {
  const settings = machine.settings.properties;
  if (generationOf(machine) === 1) return { bootOrder: biosOrder(machine, drives) };
  const order = textsOf(settings['BootSourceOrder'])
    .map((path) => deviceOfBootSource(machine, path))
    .filter((id) => id !== undefined);
  if (!isTrue(settings['SecureBootEnabled'])) return { bootOrder: order };
  const id = textOf(settings['SecureBootTemplateId']);
  const isLinux = sameText(id, SECURE_BOOT_TEMPLATES['MicrosoftUEFICertificateAuthority'] ?? '');
  const isWindows = id === '' || sameText(id, SECURE_BOOT_TEMPLATES['MicrosoftWindows'] ?? '');
  if (!isLinux && !isWindows) {
    throw new HyperVError(HV.notSupported, 'The emulated host cannot boot with this Secure Boot template.');
  }
  return {
    bootOrder: order,
    secureBoot: { template: isLinux ? 'MicrosoftUEFICertificateAuthority' : 'MicrosoftWindows' },
  };
}

function deviceOfBootSource(machine: Machine, path: string): string | undefined {
  const device = resourceById(machine, pathTarget(path)?.replace(/\\b$/, '') ?? '');
  if (device === undefined) return undefined;
  if (isKind(device, 'synthetic-nic')) return nicId(device);
  const controllers = resourcesOf(machine).filter((resource) => isKind(resource, 'scsi-controller'));
  const number = controllers.findIndex((controller) => idOf(controller).toLowerCase() === parentOf(device));
  return driveId('scsi', number, Number(textOf(device.properties['AddressOnParent'])));
}

/** BootOrder's device classes as devices: 1 CD, 2 IDE disks, 3 legacy network adapters (0, the floppy, is none). */
function biosOrder(machine: Machine, drives: readonly DriveConfig[]): string[] {
  const order = machine.settings.properties['BootOrder'];
  const onIde = drives
    .filter((drive) => drive.bus === 'ide')
    .toSorted((a, b) => a.controller - b.controller || a.slot - b.slot);
  return listOf(order).flatMap((device) => {
    if (device === 1) return onIde.filter((drive) => drive.kind === 'dvd').map((drive) => drive.id);
    if (device === 2) return onIde.filter((drive) => drive.kind === 'disk').map((drive) => drive.id);
    if (device === 3)
      return resourcesOf(machine)
        .filter((resource) => isKind(resource, 'legacy-nic'))
        .map(nicId);
    return [];
  });
}
