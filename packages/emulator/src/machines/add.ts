import { statSync } from 'node:fs';
import type { CimInstance, CimValue } from '@nova-hyperv/wsman';
import { V2, textOf, textsOf } from '../cim.js';
import { HV, HyperVError } from '../errors.js';
import { parseObjectPath } from '../store/object-path.js';
import { withBootSource } from './boot.js';
import { hostPath, newResource, settingPath } from './build.js';
import { addDisplay } from './display-rules.js';
import { offloadDefaults } from './features.js';
import { isKind, kindOf } from './kinds.js';
import type { KindName } from './kinds.js';
import {
  STATE,
  childrenOf,
  generationOf,
  idOf,
  parentOf,
  resourceById,
  resourcesOf,
  settingsId,
  withResource,
} from './model.js';
import type { Machine } from './model.js';
import { addPciDevice } from './pci-rules.js';
import { givenDisk } from './physical-drives.js';
import type { RuleHost } from './rules.js';
import { checkStorage } from './storage-rules.js';

export interface Added {
  readonly machine: Machine;
  readonly added: CimInstance;
}

type AddRule = (machine: Machine, wanted: CimInstance, host: RuleHost) => Added;

const SCSI_CONTROLLERS = 4;
const SCSI_SLOTS = 64;
const IDE_SLOTS = 2;
const LEGACY_NICS = 4;

/** One element of AddResourceSettings (rules R*, C*, E*, N*). */
export function addResource(machine: Machine, wanted: CimInstance, host: RuleHost): Added {
  const name = kindOf(wanted)?.name;
  const rule = name === undefined ? undefined : RULES[name];
  if (rule === undefined) {
    const what = textOf(wanted.properties['ResourceSubType']) || wanted.className;
    throw new HyperVError(
      HV.invalidParameter,
      `A resource '${what}' cannot be added to a virtual machine of this host.`,
    );
  }
  if (
    machine.enabledState !== STATE.off &&
    machine.enabledState !== STATE.running &&
    machine.enabledState !== STATE.paused
  ) {
    throw new HyperVError(
      HV.invalidState,
      'Resources cannot be added in the present state of the virtual machine.',
    );
  }
  return rule(machine, wanted, host);
}

const RULES: Partial<Record<KindName, AddRule>> = {
  'scsi-controller': addScsiController,
  'disk-drive': (machine, wanted, host) => addDrive(machine, wanted, host, 'disk-drive'),
  'physical-drive': (machine, wanted, host) => addDrive(machine, wanted, host, 'physical-drive'),
  'dvd-drive': (machine, wanted, host) => addDrive(machine, wanted, host, 'dvd-drive'),
  'hard-disk': (machine, wanted, host) => addMedium(machine, wanted, host, 'hard-disk', 'disk-drive'),
  'dvd-disk': (machine, wanted, host) => addMedium(machine, wanted, host, 'dvd-disk', 'dvd-drive'),
  'synthetic-nic': (machine, wanted, host) => addNic(machine, wanted, host, 'synthetic-nic'),
  'legacy-nic': (machine, wanted, host) => addNic(machine, wanted, host, 'legacy-nic'),
  connection: addConnection,
  'pci-express': addPciDevice,
  'synthetic-display': (machine, wanted, host) => addDisplay(machine, wanted, host, 'synthetic-display'),
  'remotefx-display': (machine, wanted, host) => addDisplay(machine, wanted, host, 'remotefx-display'),
};

function addScsiController(machine: Machine, wanted: CimInstance, host: RuleHost): Added {
  requireOff(machine, 'A SCSI controller');
  if (
    resourcesOf(machine).filter((resource) => isKind(resource, 'scsi-controller')).length >= SCSI_CONTROLLERS
  ) {
    throw new HyperVError(
      HV.invalidParameter,
      `A virtual machine has at most ${SCSI_CONTROLLERS} SCSI controllers.`,
    );
  }
  const id = `${settingsId(machine.id)}\\${host.newGuid()}\\0`;
  const added = newResource(host, 'scsi-controller', id, {
    ...given(wanted, 'ElementName', 'VirtualSystemIdentifiers'),
    Address: null,
  });
  return { machine: withResource(machine, added), added };
}

function addDrive(machine: Machine, wanted: CimInstance, host: RuleHost, name: KindName): Added {
  const controller = parentResource(machine, wanted);
  const isScsi = isKind(controller, 'scsi-controller');
  if (!isScsi && !isKind(controller, 'ide-controller')) {
    throw new HyperVError(HV.invalidParameter, 'The Parent of a drive must be an IDE or SCSI controller.');
  }
  if (!isScsi) requireOff(machine, 'An IDE drive');
  if (name === 'dvd-drive' && isScsi && generationOf(machine) === 1) {
    throw new HyperVError(HV.invalidParameter, 'A generation 1 virtual machine has DVD drives on IDE only.');
  }
  const slot = slotOf(wanted, isScsi ? SCSI_SLOTS : IDE_SLOTS);
  const isTaken = childrenOf(machine, idOf(controller)).some(
    (child) => textOf(child.properties['AddressOnParent']) === `${slot}`,
  );
  if (isTaken) throw new HyperVError(HV.invalidParameter, `Slot ${slot} of the controller is in use.`);
  const isPhysical = name === 'physical-drive';
  const added = newResource(host, name, `${idOf(controller)}\\${slot}\\D`, {
    // R5: the name of a physical drive is taken when it is changed, and not here.
    ...(isPhysical ? {} : given(wanted, 'ElementName')),
    Parent: settingPath(host, controller),
    AddressOnParent: `${slot}`,
    Address: textOf(wanted.properties['Address']),
    HostResource: isPhysical ? [givenDisk(wanted, host)] : [],
  });
  const next = withResource(machine, added);
  const number = resourcesOf(machine)
    .filter((resource) => isKind(resource, 'scsi-controller'))
    .findIndex((resource) => idOf(resource) === idOf(controller));
  return {
    machine: withBootSource(
      next,
      added,
      host,
      1,
      `\\AcpiEx(VMBus,0,0)\\VenHw(SCSI,${number})\\Scsi(${slot},0)`,
    ),
    added,
  };
}

function addMedium(
  machine: Machine,
  wanted: CimInstance,
  host: RuleHost,
  name: KindName,
  driveKind: KindName,
): Added {
  const drive = parentResource(machine, wanted);
  if (!isKind(drive, driveKind)) {
    throw new HyperVError(
      HV.invalidParameter,
      `The Parent of a '${textOf(wanted.properties['ResourceSubType'])}' must be a fitting drive.`,
    );
  }
  const controller = resourceById(machine, parentOf(drive) ?? '');
  const onIde = controller !== undefined && isKind(controller, 'ide-controller');
  if (onIde && name === 'hard-disk') requireOff(machine, 'A disk on an IDE controller');
  if (childrenOf(machine, idOf(drive)).length > 0) {
    throw new HyperVError(HV.invalidParameter, 'The drive holds a disk already.');
  }
  const file = checkFile(wanted, host, name);
  const added = newResource(host, name, idOf(drive).replace(/D$/, 'L'), {
    ...given(
      wanted,
      'ElementName',
      'IOPSLimit',
      'IOPSReservation',
      'CachingMode',
      'Weight',
      'IgnoreFlushes',
      'StorageQoSPolicyID',
    ),
    Parent: settingPath(host, drive),
    HostResource: [file],
  });
  checkStorage(added);
  return { machine: withResource(machine, added), added };
}

const EXTENSIONS: Partial<Record<KindName, RegExp>> = {
  'hard-disk': /\.(?:vhd|vhdx|avhd|avhdx|vhds)$/i,
  'dvd-disk': /\.iso$/i,
};

/** The one file of a medium: a full path with a fitting extension of a file that exists. */
export function checkFile(wanted: CimInstance, host: RuleHost, name: KindName): string {
  const resources = wanted.properties['HostResource'];
  if (!Array.isArray(resources) || resources.length !== 1 || typeof resources[0] !== 'string') {
    throw new HyperVError(HV.invalidParameter, 'HostResource must be an array with the path of one file.');
  }
  const file: string = resources[0];
  const local = host.paths.toLocal(file);
  if (EXTENSIONS[name]?.test(file) !== true) {
    throw new HyperVError(
      HV.invalidParameter,
      `The file '${file}' has no extension that fits this kind of disk.`,
    );
  }
  if (statSync(local, { throwIfNoEntry: false })?.isFile() !== true) {
    throw new HyperVError(
      HV.fileNotFound,
      `The system cannot find the file specified: '${file}' (0x80070002).`,
    );
  }
  return file;
}

function addNic(
  machine: Machine,
  wanted: CimInstance,
  host: RuleHost,
  name: 'synthetic-nic' | 'legacy-nic',
): Added {
  const isLegacy = name === 'legacy-nic';
  if (isLegacy && generationOf(machine) === 2) {
    throw new HyperVError(
      HV.invalidParameter,
      'A generation 2 virtual machine has no legacy network adapters.',
    );
  }
  const canHotAdd = !isLegacy && host.release.isTen && generationOf(machine) === 2;
  if (!canHotAdd) requireOff(machine, 'A network adapter');
  const most = isLegacy ? LEGACY_NICS : host.release.maximumSyntheticNics;
  if (resourcesOf(machine).filter((resource) => isKind(resource, name)).length >= most) {
    throw new HyperVError(
      HV.invalidParameter,
      `A virtual machine has at most ${most} network adapters of this kind.`,
    );
  }
  const added = newResource(host, name, `${settingsId(machine.id)}\\${host.newGuid()}`, {
    ...given(
      wanted,
      'ElementName',
      'VirtualSystemIdentifiers',
      'ClusterMonitored',
      'DeviceNamingEnabled',
      'AllowPacketDirect',
    ),
    ...macAddress(wanted),
  });
  const next = withResource(machine, added);
  return {
    machine: isLegacy
      ? next
      : withBootSource(
          next,
          added,
          host,
          2,
          `\\AcpiEx(VMBus,0,0)\\VenHw(NIC)\\MAC(${textOf(added.properties['Address'])})`,
        ),
    added,
  };
}

/** E3: twelve hexadecimal digits, and only with StaticMacAddress. */
export function macAddress(wanted: CimInstance): Record<string, CimValue> {
  const address = textOf(wanted.properties['Address']);
  if (wanted.properties['StaticMacAddress'] !== true) return { StaticMacAddress: false, Address: '' };
  if (!/^[\da-f]{12}$/i.test(address)) {
    throw new HyperVError(
      HV.invalidParameter,
      `A static MAC address is 12 hexadecimal digits without separators, not '${address}'.`,
    );
  }
  return { StaticMacAddress: true, Address: address.toUpperCase() };
}

function addConnection(machine: Machine, wanted: CimInstance, host: RuleHost): Added {
  const nic = parentResource(machine, wanted);
  if (!isKind(nic, 'synthetic-nic', 'legacy-nic')) {
    throw new HyperVError(
      HV.invalidParameter,
      'The Parent of an Ethernet connection must be a network adapter.',
    );
  }
  if (childrenOf(machine, idOf(nic)).length > 0) {
    throw new HyperVError(HV.invalidParameter, 'The network adapter has a connection already.');
  }
  const added = newResource(host, 'connection', `${idOf(nic)}\\C`, {
    ...given(
      wanted,
      'ElementName',
      'EnabledState',
      'CompartmentGuid',
      'TestReplicaPoolID',
      'TestReplicaSwitchName',
    ),
    Parent: settingPath(host, nic),
    HostResource: switchPaths(wanted.properties['HostResource'] ?? null, host),
    LastKnownSwitchName: null,
    Address: '',
  });
  const offload = offloadDefaults(added, host);
  return { machine: withResource(withResource(machine, added), offload), added };
}

/** The switch paths of a connection in the host's own form; R1 for texts that are no paths to a switch. */
export function switchPaths(value: CimValue, host: RuleHost): readonly string[] {
  if (value !== null && !Array.isArray(value))
    throw new HyperVError(HV.invalidParameter, 'HostResource must be an array with the path of a switch.');
  const paths = textsOf(value).filter((path) => path !== '');
  if (paths.length > 1) throw new HyperVError(HV.invalidParameter, 'A connection has one switch.');
  return paths.map((path) => {
    const parsed = parseObjectPath(path, V2);
    if (parsed === undefined || !/^Msvm_VirtualEthernetSwitch$/i.test(parsed.reference.className)) {
      throw new HyperVError(
        HV.invalidParameter,
        `HostResource must be the object path of a virtual switch, not '${path}'.`,
      );
    }
    const name =
      Object.entries(parsed.reference.keys).find(([key]) => key.toLowerCase() === 'name')?.[1] ?? '';
    if (name === '') throw new HyperVError(HV.invalidParameter, `The object path '${path}' names no switch.`);
    return hostPath(host, {
      kind: 'reference',
      namespace: V2,
      className: 'Msvm_VirtualEthernetSwitch',
      keys: { CreationClassName: 'Msvm_VirtualEthernetSwitch', Name: name.toUpperCase() },
    });
  });
}

/** The resource that `Parent` names: of this machine, and there. */
function parentResource(machine: Machine, wanted: CimInstance): CimInstance {
  const path = textOf(wanted.properties['Parent']);
  const id = parentOf(wanted);
  const parent = id === undefined ? undefined : resourceById(machine, id);
  if (parent === undefined) {
    throw new HyperVError(
      HV.invalidParameter,
      `Parent must be the object path of a resource of this virtual machine, not '${path}'.`,
    );
  }
  return parent;
}

function slotOf(wanted: CimInstance, slots: number): number {
  const text = textOf(wanted.properties['AddressOnParent']) || textOf(wanted.properties['Address']);
  const slot = /^\d{1,2}$/.test(text) ? Number(text) : -1;
  if (slot < 0 || slot >= slots) {
    throw new HyperVError(
      HV.invalidParameter,
      `AddressOnParent must be a slot from 0 to ${slots - 1}, not '${text}'.`,
    );
  }
  return slot;
}

function requireOff(machine: Machine, what: string): void {
  if (machine.enabledState !== STATE.off) {
    throw new HyperVError(HV.invalidState, `${what} can be added only while the virtual machine is off.`);
  }
}

/** Those of the named properties that the caller gave; null means the default. */
function given(wanted: CimInstance, ...names: readonly string[]): Record<string, CimValue> {
  const found: Record<string, CimValue> = {};
  for (const name of names) {
    const value = wanted.properties[name];
    if (value !== undefined && value !== null) found[name] = value;
  }
  return found;
}
