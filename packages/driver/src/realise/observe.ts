import type { CimInstance, CimReference } from '@nova-hyperv/wsman';
import {
  flag,
  HyperVError,
  numbers,
  numeric,
  PORT_SECURITY,
  RESOURCE,
  SUB_TYPE_GENERATION,
  text,
  texts,
} from '@nova-hyperv/hyperv';
import type { ResourceKind } from '@nova-hyperv/hyperv';
import type { Bus } from '../plan/vm-spec.js';
import { devicesOf } from './observe-devices.js';
import { instanceIdOf } from './observed.js';
import { keyOf, ofKind, referenceOf, sameText } from './rows.js';
import type {
  ObservedConnection,
  ObservedController,
  ObservedDrive,
  ObservedMachine,
  ObservedMemory,
  ObservedNic,
  ObservedProcessor,
  ObservedSerialPort,
  ObservedSettings,
  SettingsRows,
} from './observed.js';

/** Makes a machine of the settings objects that belong to it. Kinds that the driver does not manage are passed over. */
export function observeRows(id: string, rows: SettingsRows): ObservedMachine {
  const own = rows.find(
    (row) =>
      row.className === 'Msvm_VirtualSystemSettingData' &&
      sameText(text(row, 'InstanceID'), `Microsoft:${id}`),
  );
  if (own === undefined) {
    throw new HyperVError(
      'HYPERV_NOT_FOUND',
      `Machine ${id} has no settings on the host: it has been removed meanwhile.`,
    );
  }
  const controllers = [...controllersOf(rows, 'ideController'), ...controllersOf(rows, 'scsiController')];
  const memory = one(rows, 'memory');
  const processor = one(rows, 'processor');
  return {
    id,
    complete: true,
    settings: settingsOf(own, rows),
    ...(memory === undefined ? {} : { memory: memoryOf(memory) }),
    ...(processor === undefined ? {} : { processor: processorOf(processor) }),
    controllers,
    drives: drivesOf(rows, controllers),
    nics: nicsOf(rows),
    serialPorts: serialPortsOf(rows),
    ...devicesOf(rows),
  };
}

function one(rows: SettingsRows, kind: ResourceKind): CimInstance | undefined {
  return rows.find(
    (row) =>
      row.className === RESOURCE[kind].className && numeric(row, 'ResourceType') === RESOURCE[kind].type,
  );
}

function settingsOf(row: CimInstance, rows: SettingsRows): ObservedSettings {
  const security = rows.find((candidate) => candidate.className === 'Msvm_SecuritySettingData');
  return {
    name: text(row, 'ElementName'),
    note: texts(row, 'Notes')[0] ?? '',
    generation: sameText(text(row, 'VirtualSystemSubType'), SUB_TYPE_GENERATION[2]) ? 2 : 1,
    dataRoot: text(row, 'ConfigurationDataRoot'),
    secureBoot: flag(row, 'SecureBootEnabled'),
    secureBootTemplateId: text(row, 'SecureBootTemplateId').replaceAll(/[{}]/g, '').toUpperCase(),
    numa: flag(row, 'VirtualNumaEnabled'),
    startAction: numeric(row, 'AutomaticStartupAction'),
    shutdownAction: numeric(row, 'AutomaticShutdownAction'),
    chassisAssetTag: text(row, 'ChassisAssetTag'),
    bootOrder: numbers(row, 'BootOrder'),
    bootSourceOrder: texts(row, 'BootSourceOrder'),
    vtpm: security !== undefined && flag(security, 'TpmEnabled'),
    shielded: security !== undefined && flag(security, 'ShieldingRequested'),
  };
}

/** Static memory is what VirtualQuantity says; the host ignores the bounds then. */
function memoryOf(row: CimInstance): ObservedMemory {
  const startupMb = numeric(row, 'VirtualQuantity');
  const dynamic = flag(row, 'DynamicMemoryEnabled');
  return {
    reference: referenceOf(row),
    dynamic,
    startupMb,
    minimumMb: dynamic ? numeric(row, 'Reservation') : startupMb,
    maximumMb: dynamic ? numeric(row, 'Limit') : startupMb,
    perNumaNodeMb: numeric(row, 'MaxMemoryBlocksPerNumaNode'),
  };
}

function processorOf(row: CimInstance): ObservedProcessor {
  return {
    reference: referenceOf(row),
    count: numeric(row, 'VirtualQuantity'),
    limitFeatures: flag(row, 'LimitProcessorFeatures'),
    nestedVirtualization: flag(row, 'ExposeVirtualizationExtensions'),
    limit: numeric(row, 'Limit'),
    reservation: numeric(row, 'Reservation'),
    weight: numeric(row, 'Weight'),
    perNumaNode: numeric(row, 'MaxProcessorsPerNumaNode'),
    numaNodesPerSocket: numeric(row, 'MaxNumaNodesPerSocket'),
  };
}

/** IDE controllers carry their number as Address; SCSI controllers have none and count in the order of the query. */
function controllersOf(
  rows: SettingsRows,
  kind: 'ideController' | 'scsiController',
): readonly ObservedController[] {
  const bus: Bus = kind === 'ideController' ? 'ide' : 'scsi';
  const found = ofKind(rows, kind).map((row, index) => ({
    reference: referenceOf(row),
    bus,
    number: bus === 'ide' ? Number(text(row, 'Address') || index) : index,
  }));
  return found.toSorted((a, b) => a.number - b.number);
}

function drivesOf(rows: SettingsRows, controllers: readonly ObservedController[]): readonly ObservedDrive[] {
  const images = [...ofKind(rows, 'diskImage'), ...ofKind(rows, 'dvdImage')];
  const drives: ObservedDrive[] = [];
  for (const kind of ['diskDrive', 'physicalDrive', 'dvdDrive'] as const) {
    for (const row of ofKind(rows, kind)) {
      const controller = controllers.find((candidate) => isParent(row, candidate.reference));
      if (controller === undefined) continue;
      const image = images.find((candidate) => isParent(candidate, referenceOf(row)));
      drives.push({
        reference: referenceOf(row),
        bus: controller.bus,
        controller: controller.number,
        slot: Number(text(row, 'AddressOnParent')),
        kind: kind === 'dvdDrive' ? 'dvd' : 'disk',
        ...(kind === 'physicalDrive'
          ? { physical: { volumeId: text(row, 'ElementName'), disk: texts(row, 'HostResource')[0] ?? '' } }
          : {}),
        ...(image === undefined
          ? {}
          : {
              image: {
                reference: referenceOf(image),
                path: texts(image, 'HostResource')[0] ?? '',
                iopsLimit: numeric(image, 'IOPSLimit'),
              },
            }),
      });
    }
  }
  return drives;
}

function nicsOf(rows: SettingsRows): readonly ObservedNic[] {
  const connections = ofKind(rows, 'connection');
  return ofKind(rows, 'nic').map((row) => {
    const connection = connections.find((candidate) => isParent(candidate, referenceOf(row)));
    return {
      reference: referenceOf(row),
      portId: text(row, 'ElementName'),
      mac: text(row, 'Address').toUpperCase(),
      ...(connection === undefined
        ? {}
        : {
            connection: {
              reference: referenceOf(connection),
              switchId: switchIdOf(texts(connection, 'HostResource')[0]),
              ...portSecurityOf(rows, connection),
            },
          }),
    };
  });
}

/** A feature's InstanceID begins with that of the connection whose switch port it belongs to. */
function portSecurityOf(
  rows: SettingsRows,
  connection: CimInstance,
): Pick<ObservedConnection, 'security'> | undefined {
  const prefix = `${text(connection, 'InstanceID').toLowerCase()}\\`;
  const feature = rows.find(
    (row) => row.className === PORT_SECURITY && text(row, 'InstanceID').toLowerCase().startsWith(prefix),
  );
  if (feature === undefined) return undefined;
  return { security: { reference: referenceOf(feature), macSpoofing: flag(feature, 'AllowMacSpoofing') } };
}

function switchIdOf(path: string | undefined): string {
  return path === undefined || path === '' ? '' : (keyOf(path, 'Name') ?? '').toUpperCase();
}

/** Ports are numbered in the order of their ids (`…\0`, `…\1`). */
function serialPortsOf(rows: SettingsRows): readonly ObservedSerialPort[] {
  return ofKind(rows, 'serialPort')
    .toSorted((a, b) => text(a, 'InstanceID').localeCompare(text(b, 'InstanceID')))
    .map((row) => ({
      reference: referenceOf(row),
      pipe: texts(row, 'Connection').find((path) => path !== '') ?? null,
    }));
}

function isParent(row: CimInstance, parent: CimReference): boolean {
  const path = text(row, 'Parent');
  return path !== '' && sameText(keyOf(path, 'InstanceID') ?? '', instanceIdOf(parent));
}
