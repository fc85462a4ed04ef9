import { NEVER } from '@nova-hyperv/wsman';
import type { CimInstance } from '@nova-hyperv/wsman';
import { V2, v2 } from '../cim.js';
import type { Clock } from '../clock.js';
import { isKind } from '../machines/kinds.js';
import { STATE, nameOf, resourcesOf, systemReference } from '../machines/model.js';
import type { Machine } from '../machines/model.js';
import type { MachineRegistry } from '../machines/registry.js';
import type { RuleHost } from '../machines/rules.js';
import { virtualNodes } from '../numa/virtual-nodes.js';
import type { InstanceSource } from '../store/store.js';
import { known } from '../machines/build.js';

const HEALTHY = 5;

/** Milliseconds since it was powered on; 0 while it is off or saved. */
export function onTime(machine: Machine, clock: Clock): bigint {
  if (machine.startedAt === null) return 0n;
  return BigInt(Math.max(0, clock.now().getTime() - Date.parse(machine.startedAt)));
}

export function healthOf(_machine: Machine): number {
  return HEALTHY;
}

function numaNodesOf(machine: Machine): number {
  const [memory, processor] = (['memory', 'processor'] as const).map((name) =>
    resourcesOf(machine).find((resource) => isKind(resource, name)),
  );
  return virtualNodes(machine.settings, memory, processor).length;
}

/** `Msvm_ComputerSystem` of a machine. */
function systemInstance(machine: Machine, host: RuleHost): CimInstance {
  const properties = {
    ...systemReference(machine.id).keys,
    Caption: 'Virtual Machine',
    Description: 'Microsoft Virtual Machine',
    ElementName: nameOf(machine),
    InstallDate: machine.settings.properties['CreationTime'] ?? null,
    EnabledState: machine.enabledState,
    EnabledDefault: 3,
    RequestedState: machine.requestedState,
    HealthState: healthOf(machine),
    OperationalStatus: [2],
    StatusDescriptions: ['Operating normally'],
    Status: 'OK',
    TimeOfLastStateChange:
      machine.lastStateChange === null ? NEVER : { kind: 'datetime' as const, iso: machine.lastStateChange },
    TimeOfLastConfigurationChange: { kind: 'datetime' as const, iso: machine.lastConfigurationChange },
    OnTimeInMilliseconds: onTime(machine, host.clock),
    NumberOfNumaNodes: numaNodesOf(machine),
    ProcessID: machine.startedAt === null ? null : 0,
    ReplicationState: 0,
    ReplicationHealth: 0,
    ReplicationMode: 0,
    FailedOverReplicationType: 0,
    LastReplicationType: 0,
    EnhancedSessionModeState: 3,
    ResetCapability: 1,
  };
  return v2('Msvm_ComputerSystem', known(host, 'Msvm_ComputerSystem', properties));
}

/** The computer systems, and the devices that exist only while a machine runs. */
export function systemSources(registry: MachineRegistry, host: RuleHost): readonly InstanceSource[] {
  const running = (): readonly Machine[] =>
    registry.all().filter((machine) => machine.enabledState === STATE.running);
  const component = (className: string, caption: string): InstanceSource => ({
    namespace: V2,
    className,
    list: () =>
      running().map((machine) =>
        v2(className, {
          SystemCreationClassName: 'Msvm_ComputerSystem',
          SystemName: machine.id,
          CreationClassName: className,
          DeviceID: `Microsoft:${machine.id}\\${className}`,
          Name: caption,
          ElementName: caption,
          Caption: caption,
          EnabledState: 2,
          OperationalStatus: [2],
          HealthState: HEALTHY,
        }),
      ),
  });
  return [
    {
      namespace: V2,
      className: 'Msvm_ComputerSystem',
      list: (hint) => {
        const name = hint.equals.get('name');
        const one = name === undefined ? undefined : registry.get(name);
        if (name !== undefined) return one === undefined ? [] : [systemInstance(one, host)];
        return registry.all().map((machine) => systemInstance(machine, host));
      },
    },
    component('Msvm_ShutdownComponent', 'Shutdown'),
  ];
}
