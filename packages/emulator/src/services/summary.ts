import type { CimInstance, CimValue } from '@nova-hyperv/wsman';
import { V2, numberOf, textOf, textsOf, v2 } from '../cim.js';
import { kindOf } from '../machines/kinds.js';
import { STATE, nameOf, resourcesOf, settingsId } from '../machines/model.js';
import type { Machine } from '../machines/model.js';
import { isShielded } from '../security/security-settings.js';
import type { MethodCall } from '../methods.js';
import { known } from '../machines/build.js';
import { refuseShape } from './context.js';
import type { ServiceContext } from './context.js';
import { systemOf } from './machine-service.js';
import type { ProcessorLoads } from '../metrics/processor-load.js';
import { spansNodes } from '../numa/placement.js';
import { healthOf, onTime } from './system-view.js';
import { summaryThumbnail } from './thumbnail.js';

/** What each code of RequestedInformation fills in. Source: HyperV_v2, GetSummaryInformation. */
const FIELDS: Readonly<
  Record<number, (machine: Machine, context: ServiceContext) => Readonly<Record<string, CimValue>>>
> = {
  0: (machine) => ({ Name: machine.id }),
  1: (machine) => ({ ElementName: nameOf(machine) }),
  2: (machine) => ({ CreationTime: machine.settings.properties['CreationTime'] ?? null }),
  // A plain text here, an array in the settings.
  3: (machine) => ({ Notes: textsOf(machine.settings.properties['Notes']).join('\n') }),
  4: (machine) => ({ NumberOfProcessors: quantity(machine, 'processor') }),
  8: () => ({ AllocatedGPU: '' }),
  9: (machine, context) => ({ VirtualSwitchNames: switchNames(machine, context) }),
  10: (machine) => ({ Version: textOf(machine.settings.properties['Version']) }),
  11: (machine) => ({ Shielded: isShielded(machine) }),
  100: (machine) => ({ EnabledState: machine.enabledState }),
  102: () => ({ ProcessorLoadHistory: [] }),
  103: (machine, context) => ({
    MemoryUsage: context.machines.isRunning(machine.id) ? BigInt(quantity(machine, 'memory')) : 0n,
  }),
  104: (machine) => ({ Heartbeat: machine.enabledState === STATE.running ? 12 : null }),
  105: (machine, context) => ({ UpTime: onTime(machine, context.host.clock) }),
  106: () => ({ GuestOperatingSystem: '' }),
  107: () => ({ Snapshots: [] }),
  108: () => ({ AsynchronousTasks: [] }),
  109: (machine) => ({ HealthState: healthOf(machine) }),
  110: () => ({ OperationalStatus: [2] }),
  111: () => ({ StatusDescriptions: ['Operating normally'] }),
  112: () => ({ MemoryAvailable: null }),
  113: () => ({ AvailableMemoryBuffer: null }),
  114: () => ({ ReplicationMode: 0 }),
  115: () => ({ ReplicationState: 0 }),
  116: () => ({ ReplicationHealth: 0 }),
  117: () => ({ ApplicationHealth: null }),
  118: () => ({ ReplicationStateEx: [] }),
  119: () => ({ ReplicationHealthEx: [] }),
  120: () => ({ SwapFilesInUse: false }),
  121: () => ({ IntegrationServicesVersionState: 0 }),
  122: () => ({ ReplicationProviderId: [] }),
  123: (machine) => ({ MemorySpansPhysicalNumaNodes: spansNodes(machine.placement) }),
  132: () => ({ IntegrationServicesVersionState: 0 }),
};

const PROCESSOR_LOAD = 101;

/** `Msvm_SummaryInformation` of the named machines, or of all, with what was asked for. */
export async function summaryInformation(
  context: ServiceContext,
  loads: ProcessorLoads,
  call: MethodCall,
): Promise<readonly CimInstance[]> {
  const named = call.references('SettingData').map((reference) => systemOf(context, reference));
  refuseShape(context.host, 'summary-of-all', named.length === 0);
  const codes = call.numbers('RequestedInformation');
  const machines = named.length > 0 ? named : context.machines.all();
  const summaryOf = async (machine: Machine): Promise<CimInstance> => {
    const properties: Record<string, CimValue> = {
      InstanceID: settingsId(machine.id),
      VirtualSystemSubType: textOf(machine.settings.properties['VirtualSystemSubType']),
      HostComputerSystemName: context.host.name.toUpperCase(),
    };
    for (const code of codes) Object.assign(properties, FIELDS[code]?.(machine, context));
    const picture = await summaryThumbnail(context, machine, codes);
    if (picture !== undefined) properties['ThumbnailImage'] = picture;
    if (codes.includes(PROCESSOR_LOAD))
      properties['ProcessorLoad'] = await loads.of(machine, quantity(machine, 'processor'));
    return v2('Msvm_SummaryInformation', known(context.host, 'Msvm_SummaryInformation', properties));
  };
  return await Promise.all(machines.map(summaryOf));
}

function quantity(machine: Machine, kind: 'memory' | 'processor'): number {
  const resource = resourcesOf(machine).find((candidate) => kindOf(candidate)?.name === kind);
  return numberOf(resource?.properties['VirtualQuantity']);
}

function switchNames(machine: Machine, context: ServiceContext): readonly string[] {
  const names = resourcesOf(machine)
    .filter((resource) => kindOf(resource)?.name === 'connection')
    .flatMap((connection) => textsOf(connection.properties['HostResource']))
    .map((path) => /Name="([^"]+)"\s*$/.exec(path)?.[1])
    .filter((id) => id !== undefined)
    .map((id) => {
      const keys = { CreationClassName: 'Msvm_VirtualEthernetSwitch', Name: id };
      const found = context.host.findSwitch({
        kind: 'reference',
        namespace: V2,
        className: 'Msvm_VirtualEthernetSwitch',
        keys,
      });
      return textOf(found?.properties['ElementName']);
    });
  return [...new Set(names.filter((name) => name !== ''))];
}
