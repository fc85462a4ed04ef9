import type { CimInstance, CimReference, CimValue } from '@nova-hyperv/wsman';
import { V2, settingReference, textOf, v2 } from '../cim.js';
import { known, newResource } from '../machines/build.js';
import { FEATURE_KINDS, newFeature } from '../machines/features.js';
import { RESOURCE_KINDS, subTypeText } from '../machines/kinds.js';
import type { ResourceKind } from '../machines/kinds.js';
import type { RuleHost } from '../machines/rules.js';

/** Objects of the route pool → capabilities → default, minimum, maximum, increment, and the links between them. */
export interface Definitions {
  readonly objects: readonly CimInstance[];
  readonly links: readonly CimInstance[];
}

const POINTS = [
  { name: 'Default', role: 0, range: 0 },
  { name: 'Minimum', role: 3, range: 1 },
  { name: 'Maximum', role: 3, range: 2 },
  { name: 'Increment', role: 3, range: 3 },
] as const;

export function definitions(host: RuleHost): Definitions {
  const objects: CimInstance[] = [];
  const links: CimInstance[] = [];
  for (const kind of RESOURCE_KINDS) {
    if (kind.since === 'ten' && !host.release.isTen) continue;
    const pool = poolOf(kind, host);
    const capabilities = capabilitiesOf(kind, host);
    objects.push(pool, capabilities);
    links.push(
      v2('Msvm_ElementCapabilities', {
        ManagedElement: settingReference(pool.className, idOf(pool)),
        Capabilities: settingReference(capabilities.className, idOf(capabilities)),
      }),
    );
    for (const point of POINTS) {
      const setting = newResource(
        host,
        kind.name,
        `Microsoft:Definition\\${kind.definition}\\${point.name}`,
        quantities(kind, point.name),
      );
      objects.push(setting);
      links.push(
        definesLink(
          settingReference(capabilities.className, idOf(capabilities)),
          setting,
          point.role,
          point.range,
        ),
      );
    }
  }
  for (const kind of FEATURE_KINDS) {
    if (host.schema.classOf(V2, kind.className) === undefined) continue;
    objects.push(newFeature(kind, `Microsoft:Definition\\${kind.guid}\\Default`, host, {}));
  }
  return { objects, links };
}

function idOf(instance: CimInstance): string {
  return textOf(instance.properties['InstanceID']);
}

function quantities(kind: ResourceKind, point: string): Readonly<Record<string, CimValue>> {
  if (point === 'Default' || kind.range === undefined) return {};
  if (point === 'Minimum') return { VirtualQuantity: kind.range.minimum };
  return { VirtualQuantity: point === 'Maximum' ? kind.range.maximum : kind.range.increment };
}

function poolOf(kind: ResourceKind, host: RuleHost): CimInstance {
  const properties = {
    InstanceID: `Microsoft:${kind.definition}\\Root`,
    ElementName: 'Primordial',
    Caption: `Pool of ${kind.elementName}`,
    PoolID: '',
    Primordial: true,
    ResourceType: kind.resourceType,
    ResourceSubType: subTypeText(kind),
    AllocationUnits: 'count',
  };
  return v2('Msvm_ResourcePool', known(host, 'Msvm_ResourcePool', properties));
}

function capabilitiesOf(kind: ResourceKind, host: RuleHost): CimInstance {
  const properties = {
    InstanceID: `Microsoft:Capabilities\\${kind.definition}`,
    ElementName: kind.elementName,
    Caption: 'Allocation Capabilities',
    ResourceType: kind.resourceType,
    ResourceSubType: subTypeText(kind),
    RequestTypesSupported: 0,
    SharingMode: 2,
  };
  return v2('Msvm_AllocationCapabilities', known(host, 'Msvm_AllocationCapabilities', properties));
}

function definesLink(group: CimReference, setting: CimInstance, role: number, range: number): CimInstance {
  return v2('Msvm_SettingsDefineCapabilities', {
    GroupComponent: group,
    PartComponent: settingReference(setting.className, idOf(setting)),
    PropertyPolicy: 0,
    ValueRole: role,
    ValueRange: range,
    SupportStatement: 0,
  });
}
