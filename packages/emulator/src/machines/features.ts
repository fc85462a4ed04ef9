import type { CimInstance, CimValue } from '@nova-hyperv/wsman';
import { V2, listOf, numberOf, textOf, v2 } from '../cim.js';
import { HV, HyperVError } from '../errors.js';
import { known } from './build.js';
import { isKind } from './kinds.js';
import { changed, idOf, resourceById, resourcesOf, withResource, withoutResource } from './model.js';
import type { Machine } from './model.js';
import type { RuleHost } from './rules.js';

export interface FeatureKind {
  readonly className: string;
  readonly elementName: string;
  /** Part of the InstanceID; the host's own, stable over all emulated hosts. */
  readonly guid: string;
  /** A port has at most one of it. */
  readonly single: boolean;
  /** E8: what cannot be modified must be removed and added. */
  readonly canModify: boolean;
  readonly defaults: Readonly<Record<string, CimValue>>;
  readonly check?: (feature: CimInstance) => void;
}

/** Feature settings of a switch port. */
export const FEATURE_KINDS: readonly FeatureKind[] = [
  {
    className: 'Msvm_EthernetSwitchPortVlanSettingData',
    elementName: 'Ethernet Switch Port VLAN Settings',
    guid: '952C5004-4465-451C-8CB8-FA9AB382B773',
    single: true,
    canModify: false,
    defaults: {
      OperationMode: 1,
      AccessVlanId: 0,
      NativeVlanId: 0,
      PvlanMode: 0,
      PrimaryVlanId: 0,
      SecondaryVlanId: 0,
      TrunkVlanIdArray: [],
      PruneVlanIdArray: [],
      SecondaryVlanIdArray: [],
    },
    check: checkVlan,
  },
  {
    className: 'Msvm_EthernetSwitchPortSecuritySettingData',
    elementName: 'Ethernet Switch Port Security Settings',
    guid: '776E0BA7-94A1-41C8-8F28-951F524251B5',
    single: true,
    canModify: true,
    defaults: {
      AllowMacSpoofing: false,
      EnableDhcpGuard: false,
      EnableRouterGuard: false,
      MonitorMode: 0,
      MonitorSession: 0,
      AllowIeeePriorityTag: false,
      VirtualSubnetId: 0,
      AllowTeaming: false,
      DynamicIPAddressLimit: 0,
      StormLimit: 0,
    },
  },
  {
    className: 'Msvm_EthernetSwitchPortOffloadSettingData',
    elementName: 'Ethernet Switch Port Offload Settings',
    guid: 'C885BFD1-ABB7-418F-8163-9F379C9F7166',
    single: true,
    canModify: true,
    defaults: {
      VMQOffloadWeight: 100,
      IOVOffloadWeight: 0,
      IOVQueuePairsRequested: 1,
      IOVInterruptModeration: 0,
      IPSecOffloadLimit: 512,
    },
  },
  {
    className: 'Msvm_EthernetSwitchPortBandwidthSettingData',
    elementName: 'Ethernet Switch Port Bandwidth Settings',
    guid: '24AD3CE1-69BD-4978-B2AC-DAAD389D699C',
    single: true,
    canModify: false,
    defaults: {},
    check: checkBandwidth,
  },
  {
    className: 'Msvm_EthernetSwitchPortProfileSettingData',
    elementName: 'Ethernet Switch Port Profile Settings',
    guid: '9940CD46-8B06-43BB-B9D5-93D50381FD56',
    single: true,
    canModify: false,
    defaults: {},
  },
  {
    className: 'Msvm_EthernetSwitchPortAclSettingData',
    elementName: 'Ethernet Switch Port Acl Settings',
    guid: '998BEF4A-5D55-492A-9C43-8B2F5EAE9F2B',
    single: false,
    canModify: true,
    defaults: {},
    check: checkAcl,
  },
  {
    className: 'Msvm_EthernetSwitchPortExtendedAclSettingData',
    elementName: 'Ethernet Switch Port Extended Acl Settings',
    guid: '3D6B5A1D-3C4F-4B67-8A4C-7A2C9E0C3E5B',
    single: false,
    canModify: true,
    defaults: {},
    check: checkAcl,
  },
];

export function featureKindOf(className: string): FeatureKind | undefined {
  return FEATURE_KINDS.find((kind) => kind.className.toLowerCase() === className.toLowerCase());
}

export interface FeatureChange {
  readonly machine: Machine;
  readonly feature: CimInstance;
}

/** One element of AddFeatureSettings to the port that `connectionId` names. */
export function addFeature(
  machine: Machine,
  connectionId: string,
  wanted: CimInstance,
  host: RuleHost,
): FeatureChange {
  const connection = resourceById(machine, connectionId);
  if (connection === undefined || !isKind(connection, 'connection')) {
    throw new HyperVError(
      HV.invalidParameter,
      `'${connectionId}' is no Ethernet connection of this virtual machine.`,
    );
  }
  const kind = requireKind(wanted);
  const prefix = `${idOf(connection)}\\${kind.guid}`;
  const exists = resourcesOf(machine).some(
    (resource) => idOf(resource).toLowerCase() === prefix.toLowerCase(),
  );
  if (kind.single && exists) {
    throw new HyperVError(
      HV.invalidParameter,
      `The port has a ${kind.className} already: modify it, or remove it first.`,
    );
  }
  const given = Object.fromEntries(Object.entries(wanted.properties).filter(([, value]) => value !== null));
  const feature = newFeature(kind, kind.single ? prefix : `${prefix}\\${host.newGuid()}`, host, given);
  kind.check?.(feature);
  checkWeight(machine, idOf(connection), feature);
  return { machine: withResource(machine, feature), feature };
}

export function modifyFeature(machine: Machine, wanted: CimInstance): FeatureChange {
  const id = textOf(wanted.properties['InstanceID']);
  const before = resourceById(machine, id);
  if (before === undefined || before.className !== wanted.className) {
    throw new HyperVError(HV.invalidParameter, `There is no ${wanted.className} with InstanceID '${id}'.`);
  }
  const kind = requireKind(before);
  if (!kind.canModify) {
    throw new HyperVError(HV.failed, `${kind.className} cannot be modified: remove it and add another.`);
  }
  const given = Object.fromEntries(
    Object.entries(wanted.properties).filter(([name, value]) => value !== null && name !== 'InstanceID'),
  );
  const feature = changed(before, given);
  kind.check?.(feature);
  return { machine: withResource(machine, feature), feature };
}

export function removeFeature(machine: Machine, instanceId: string): Machine {
  const feature = resourceById(machine, instanceId);
  if (feature === undefined || featureKindOf(feature.className) === undefined) {
    throw new HyperVError(
      HV.invalidParameter,
      `'${instanceId}' is no feature of a port of this virtual machine.`,
    );
  }
  return withoutResource(machine, instanceId);
}

/** Every port has offload settings from the start. */
export function offloadDefaults(connection: CimInstance, host: RuleHost): CimInstance {
  const kind = requireKind(v2('Msvm_EthernetSwitchPortOffloadSettingData', {}));
  return newFeature(kind, `${idOf(connection)}\\${kind.guid}`, host, {});
}

export function newFeature(
  kind: FeatureKind,
  instanceId: string,
  host: RuleHost,
  given: Readonly<Record<string, CimValue>>,
): CimInstance {
  if (host.schema.classOf(V2, kind.className) === undefined) {
    throw new HyperVError(HV.incorrectType, `This host has no ${kind.className}.`);
  }
  const properties = {
    ElementName: kind.elementName,
    Caption: kind.elementName,
    ...kind.defaults,
    ...given,
    InstanceID: instanceId,
  };
  return v2(kind.className, known(host, kind.className, properties));
}

function requireKind(instance: CimInstance): FeatureKind {
  const kind = featureKindOf(instance.className);
  if (kind === undefined)
    throw new HyperVError(HV.invalidParameter, `${instance.className} is no feature of a switch port here.`);
  return kind;
}

/** E7; mode 1 access, 2 trunk, 3 private. */
function checkVlan(feature: CimInstance): void {
  const mode = numberOf(feature.properties['OperationMode']);
  if (mode < 1 || mode > 3) throw new HyperVError(HV.invalidParameter, 'OperationMode must be 1, 2 or 3.');
  const lists = ['TrunkVlanIdArray', 'SecondaryVlanIdArray'].map((name) => feature.properties[name]);
  const ids = [
    numberOf(feature.properties['AccessVlanId']),
    numberOf(feature.properties['NativeVlanId']),
    ...lists.flatMap((list) => listOf(list).map((id) => numberOf(id))),
  ];
  if (ids.some((id) => id > 4094))
    throw new HyperVError(HV.invalidParameter, 'VLAN ids lie between 1 and 4094.');
}

const LEAST_RESERVATION = 10 * 1024 * 1024;

/** E11; Windows tells it as 0x80070057. */
function checkBandwidth(feature: CimInstance): void {
  const number = (name: string): number => numberOf(feature.properties[name]);
  const [reservation, limit, burst] = [number('Reservation'), number('Limit'), number('BurstLimit')];
  const isWrong =
    (reservation !== 0 && reservation < LEAST_RESERVATION) ||
    (limit !== 0 && reservation > limit) ||
    (burst !== 0 && limit > burst);
  if (isWrong)
    throw new HyperVError(
      HV.invalidParameter,
      'The parameter is incorrect (0x80070057): Reservation <= Limit <= BurstLimit, at least 10 MiB.',
    );
}

function checkAcl(feature: CimInstance): void {
  const type = numberOf(feature.properties['AclType']);
  if (feature.className === 'Msvm_EthernetSwitchPortAclSettingData' && (type < 1 || type > 3))
    throw new HyperVError(HV.invalidParameter, 'AclType must be 1 (MAC), 2 (IPv4) or 3 (IPv6).');
  const direction = numberOf(feature.properties['Direction']);
  const action = numberOf(feature.properties['Action']);
  if (direction < 1 || direction > 2)
    throw new HyperVError(HV.invalidParameter, 'Direction must be 1 (in) or 2 (out).');
  if (action < 1 || action > 3)
    throw new HyperVError(HV.invalidParameter, 'Action must be 1 (allow), 2 (deny) or 3 (meter).');
}

/** E13: weights of extended ACLs are unique per direction. */
function checkWeight(machine: Machine, connectionId: string, feature: CimInstance): void {
  if (feature.className !== 'Msvm_EthernetSwitchPortExtendedAclSettingData') return;
  const weight = numberOf(feature.properties['Weight']);
  const direction = numberOf(feature.properties['Direction']);
  const clash = resourcesOf(machine).some(
    (other) =>
      other.className === feature.className &&
      idOf(other).toLowerCase().startsWith(`${connectionId.toLowerCase()}\\`) &&
      numberOf(other.properties['Direction']) === direction &&
      numberOf(other.properties['Weight']) === weight,
  );
  if (clash)
    throw new HyperVError(
      HV.invalidParameter,
      `Another extended ACL of this direction has weight ${weight}.`,
    );
}
