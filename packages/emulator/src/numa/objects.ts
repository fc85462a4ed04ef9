import type { CimInstance, CimReference, CimValue } from '@nova-hyperv/wsman';
import { V2, reference, v2 } from '../cim.js';
import type { Definitions } from '../base/definitions.js';
import { known } from '../machines/build.js';
import type { Machine } from '../machines/model.js';
import type { MachineRegistry } from '../machines/registry.js';
import type { RuleHost } from '../machines/rules.js';
import type { AssociationSource } from '../store/associations.js';
import type { InstanceSource } from '../store/store.js';
import { freeMemory } from './placement.js';
import type { NumaNode } from './topology.js';

const BLOCK_BYTES = 1_048_576n;
const ENABLED = 2;

type Keys = Readonly<Record<string, string>>;

function deviceKeys(className: string, systemName: string, deviceId: string): Keys {
  return {
    SystemCreationClassName: 'Msvm_ComputerSystem',
    SystemName: systemName,
    CreationClassName: className,
    DeviceID: deviceId,
  };
}

function nodeKeys(host: RuleHost, node: number): Keys {
  return {
    SystemCreationClassName: 'Msvm_ComputerSystem',
    SystemName: host.name.toUpperCase(),
    CreationClassName: 'Msvm_NumaNode',
    NodeID: `Microsoft:PhysicalNode\\${node}`,
  };
}

function nodeReference(host: RuleHost, node: number): CimReference {
  return reference(V2, 'Msvm_NumaNode', nodeKeys(host, node));
}

function device(
  host: RuleHost,
  className: string,
  properties: Readonly<Record<string, CimValue>>,
): CimInstance {
  return v2(className, known(host, className, { EnabledState: ENABLED, ...properties }));
}

function memory(host: RuleHost, keys: Keys, megabytes: number): CimInstance {
  return device(host, 'Msvm_Memory', {
    ...keys,
    ElementName: 'Memory',
    BlockSize: BLOCK_BYTES,
    NumberOfBlocks: BigInt(megabytes),
    ConsumableBlocks: BigInt(megabytes),
  });
}

/** The host's own memory and processors, and which of its nodes they belong to. */
export function hostNuma(host: RuleHost): Definitions {
  const system = host.name.toUpperCase();
  const memoryKeys = ({ id }: NumaNode): Keys =>
    deviceKeys('Msvm_Memory', system, `Microsoft:PhysicalNode\\${id}`);
  const processorKeys = (number: number): Keys =>
    deviceKeys('Msvm_Processor', system, `Microsoft:${system}\\${number}`);
  const member = (node: NumaNode, className: string, keys: Keys): CimInstance =>
    v2('Msvm_HostedDependency', {
      Antecedent: nodeReference(host, node.id),
      Dependent: reference(V2, className, keys),
    });
  const { nodes } = host.numa;
  return {
    objects: nodes.flatMap((node) => [
      memory(host, memoryKeys(node), node.memoryMb),
      ...node.processors.map((number) =>
        device(host, 'Msvm_Processor', {
          ...processorKeys(number),
          ElementName: 'Processor',
          LoadPercentage: 0,
        }),
      ),
    ]),
    links: nodes.flatMap((node) => [
      member(node, 'Msvm_Memory', memoryKeys(node)),
      ...node.processors.map((number) => member(node, 'Msvm_Processor', processorKeys(number))),
    ]),
  };
}

/** Memory of a running machine: one object for each virtual node and each node of the host that it lies on. */
function machineMemory(machine: Machine): readonly { keys: Keys; node: number; memoryMb: number }[] {
  return (machine.placement ?? []).map(({ virtualNode, node, memoryMb }) => ({
    keys: deviceKeys('Msvm_Memory', machine.id, `Microsoft:${machine.id}\\${virtualNode}\\${node}`),
    node,
    memoryMb,
  }));
}

/** The nodes with what is free on them now, and the memory of the machines that run. */
export function numaSources(machines: MachineRegistry, host: RuleHost): readonly InstanceSource[] {
  return [
    {
      namespace: V2,
      className: 'Msvm_NumaNode',
      list: () => {
        const free = freeMemory(host.numa, machines.placements());
        return host.numa.nodes.map(({ id, processors }) =>
          device(host, 'Msvm_NumaNode', {
            ...nodeKeys(host, id),
            ElementName: `NUMA Node ${id}`,
            Name: `NUMA Node ${id}`,
            NumberOfLogicalProcessors: processors.length,
            NumberOfProcessorCores: processors.length,
            CurrentlyConsumableMemoryBlocks: BigInt(Math.max(0, free.get(id) ?? 0)),
          }),
        );
      },
    },
    {
      namespace: V2,
      className: 'Msvm_Memory',
      list: () =>
        machines
          .all()
          .flatMap((machine) =>
            machineMemory(machine).map(({ keys, memoryMb }) => memory(host, keys, memoryMb)),
          ),
    },
  ];
}

/** Which node of the host a running machine's memory is of. */
export function numaAllocations(machines: MachineRegistry, host: RuleHost): AssociationSource {
  return {
    namespace: V2,
    className: 'Msvm_ElementAllocatedFromNumaNode',
    links: () =>
      machines.all().flatMap((machine) =>
        machineMemory(machine).map(({ keys, node }) =>
          v2('Msvm_ElementAllocatedFromNumaNode', {
            Antecedent: nodeReference(host, node),
            Dependent: reference(V2, 'Msvm_Memory', keys),
          }),
        ),
      ),
  };
}
