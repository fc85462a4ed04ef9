import type { CimInstance, CimReference } from '@nova-hyperv/wsman';
import { V2, sameText, textOf, v2 } from './cim.js';
import { featureKindOf } from './machines/features.js';
import { isKind, kindOf } from './machines/kinds.js';
import {
  machineIdOf,
  resourceById,
  resourceReference,
  resourcesOf,
  settingsReference,
  systemReference,
} from './machines/model.js';
import type { Checkpoint, Machine } from './machines/model.js';
import type { MachineRegistry } from './machines/registry.js';
import type { AssociationSource } from './store/associations.js';

/** Associations that follow from what the machines are. */
export function machineAssociations(registry: MachineRegistry): readonly AssociationSource[] {
  const source = (className: string, links: (machine: Machine) => CimInstance[]): AssociationSource => ({
    namespace: V2,
    className,
    links: (end) => machinesAt(registry, end).flatMap(links),
  });
  return [
    source('Msvm_SettingsDefineState', (machine) => [
      v2('Msvm_SettingsDefineState', {
        ManagedElement: systemReference(machine.id),
        SettingData: settingsReference(machine.id),
      }),
    ]),
    source('Msvm_VirtualSystemSettingDataComponent', (machine) =>
      resourcesOf(machine)
        .filter(
          (resource) =>
            kindOf(resource) !== undefined ||
            resource.className === 'Msvm_BootSourceSettingData' ||
            resource.className === 'Msvm_SecuritySettingData',
        )
        .map((resource) =>
          component('Msvm_VirtualSystemSettingDataComponent', settingsReference(machine.id), resource),
        ),
    ),
    source('Msvm_EthernetPortSettingDataComponent', (machine) =>
      resourcesOf(machine)
        .filter((resource) => featureKindOf(resource.className) !== undefined)
        .flatMap((feature) => {
          const port = resourcesOf(machine).find(
            (candidate) =>
              isKind(candidate, 'connection') && isBelow(textOf(feature.properties['InstanceID']), candidate),
          );
          return port === undefined
            ? []
            : [component('Msvm_EthernetPortSettingDataComponent', resourceReference(port), feature)];
        }),
    ),
    source('Msvm_LogicalIdentity', (machine) =>
      resourcesOf(machine)
        .filter((resource) => resource.className === 'Msvm_BootSourceSettingData')
        .flatMap((bootSource) => {
          const device = resourceById(
            machine,
            textOf(bootSource.properties['InstanceID']).replace(/\\B$/, ''),
          );
          if (device === undefined) return [];
          return [
            v2('Msvm_LogicalIdentity', {
              SystemElement: resourceReference(device),
              SameElement: resourceReference(bootSource),
            }),
          ];
        }),
    ),
    checkpointLinks(registry, 'Msvm_SnapshotOfVirtualSystem', ({ checkpoints = [] }) => checkpoints),
    checkpointLinks(registry, 'Msvm_MostCurrentSnapshotInBranch', ({ checkpoints = [] }) =>
      checkpoints.slice(-1),
    ),
  ];
}

function checkpointLinks(
  registry: MachineRegistry,
  className: string,
  of: (machine: Machine) => readonly Checkpoint[],
): AssociationSource {
  return {
    namespace: V2,
    className,
    links: () =>
      registry.all().flatMap((machine) =>
        of(machine).map(({ id }) =>
          v2(className, {
            Antecedent: systemReference(machine.id),
            Dependent: settingsReference(id),
          }),
        ),
      ),
  };
}

function isBelow(instanceId: string, parent: CimInstance): boolean {
  return instanceId.toLowerCase().startsWith(`${textOf(parent.properties['InstanceID']).toLowerCase()}\\`);
}

function component(className: string, group: CimReference, part: CimInstance): CimInstance {
  return v2(className, { GroupComponent: group, PartComponent: resourceReference(part) });
}

/** The machines that can have a link with that end: one, none, or all when no end is given. */
function machinesAt(registry: MachineRegistry, end: CimReference | undefined): readonly Machine[] {
  if (end === undefined) return registry.all();
  const key = (name: string): string | undefined =>
    Object.entries(end.keys).find(([other]) => sameText(other, name))?.[1];
  const id = key('InstanceID');
  const machine = registry.get((id === undefined ? key('Name') : machineIdOf(id)) ?? '');
  return machine === undefined ? [] : [machine];
}
