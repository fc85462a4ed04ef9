import type { CimInstance, CimValue } from '@nova-hyperv/wsman';
import { V2, settingReference, textOf, v2 } from '../cim.js';
import { formatObjectPath } from '../store/object-path.js';
import { kind, subTypeText } from './kinds.js';
import type { KindName } from './kinds.js';
import type { RuleHost } from './rules.js';

/**
 * A new setting object of a kind with the defaults that the host's `\Default` object shows, fit for the host's
 * release: the class that it uses for it, without properties that came later.
 */
export function newResource(
  host: RuleHost,
  name: KindName,
  instanceId: string,
  properties: Readonly<Record<string, CimValue>> = {},
): CimInstance {
  const made = kind(name);
  const className =
    host.schema.classOf(V2, made.className) === undefined
      ? 'Msvm_ResourceAllocationSettingData'
      : made.className;
  const all: Record<string, CimValue> = {
    ...made.properties,
    ...nodeSizes(name, host),
    ElementName: made.elementName,
    Caption: made.elementName,
    Description: `Settings for the Microsoft ${made.elementName}.`,
    ResourceType: made.resourceType,
    ResourceSubType: subTypeText(made),
    ...properties,
    InstanceID: instanceId,
  };
  return v2(className, known(host, className, all));
}

/** A new machine's virtual NUMA nodes are as large as those of the host. */
function nodeSizes(name: KindName, { numa }: RuleHost): Readonly<Record<string, CimValue>> {
  if (name === 'memory') {
    const megabytes = Math.max(...numa.nodes.map(({ memoryMb }) => memoryMb));
    return { MaxMemoryBlocksPerNumaNode: BigInt(Math.max(8, megabytes - (megabytes % 2))) };
  }
  if (name !== 'processor') return {};
  const processors = Math.max(...numa.nodes.map((node) => node.processors.length));
  return { MaxProcessorsPerNumaNode: BigInt(Math.min(processors, 64)) };
}

/** Leaves out what the release's class does not have. */
export function known(
  host: RuleHost,
  className: string,
  properties: Readonly<Record<string, CimValue>>,
): Record<string, CimValue> {
  const def = host.schema.classOf(V2, className);
  return Object.fromEntries(
    Object.entries(properties).filter(([name]) => def?.properties.has(name) === true),
  );
}

/** The text form in which the host reports a path to setting data, a system or a switch. */
export function hostPath(host: RuleHost, reference: Parameters<typeof formatObjectPath>[0]): string {
  return formatObjectPath(reference, host.name.toUpperCase());
}

export function settingPath(host: RuleHost, instance: CimInstance): string {
  return hostPath(host, settingReference(instance.className, textOf(instance.properties['InstanceID'])));
}
