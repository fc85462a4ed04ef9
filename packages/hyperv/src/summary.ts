import type { CimInstance } from '@nova-hyperv/wsman';
import { HyperVError, isRefusal, RETURN } from './errors.js';
import { serviceReference } from './machines.js';
import type { MachineHandle, Machines } from './machines.js';
import { instances, numeric, text } from './read.js';
import type { HostWire } from './wire.js';

export interface MachineSummary {
  /** GUID, upper case. */
  readonly id: string;
  readonly name: string;
  /** First line of the notes. */
  readonly note: string;
  /** Msvm_ComputerSystem.EnabledState */
  readonly state: number;
}

/** Codes of GetSummaryInformation's RequestedInformation: Name, ElementName, Notes, EnabledState. */
const REQUESTED = [0, 1, 3, 100];

/**
 * All machines with their states and notes. One call where the host gives the summary of all machines at once, else one query for
 * the settings and one for the states.
 */
export async function summariseMachines(
  wire: HostWire,
  machines: Machines,
): Promise<readonly MachineSummary[]> {
  if (wire.shapes.allows('summary-of-all')) {
    try {
      const summaries = await summaryOfAll(wire);
      if (summaries !== undefined) return summaries;
      wire.shapes.refuse('summary-of-all', 'the answer lacks names or states');
    } catch (error) {
      if (!isRefusal(error)) throw error;
      wire.shapes.refuse('summary-of-all', error instanceof Error ? error.message : String(error));
    }
  }
  const [handles, systems] = await Promise.all([
    machines.list(),
    wire.select('Msvm_ComputerSystem', ['Name', 'EnabledState']),
  ]);
  const states = new Map(
    systems.map(({ properties }) => [(properties.Name ?? '').toUpperCase(), properties.EnabledState ?? 0]),
  );
  return handles.map((handle) => ({
    id: handle.id,
    name: handle.name,
    note: handle.notes.find((note) => note !== '') ?? '',
    state: states.get(handle.id) ?? 0,
  }));
}

async function summaryOfAll(wire: HostWire): Promise<readonly MachineSummary[] | undefined> {
  const service = serviceReference('Msvm_VirtualSystemManagementService');
  const { returnValue, out } = await wire.client.invoke(service, 'GetSummaryInformation', {
    RequestedInformation: REQUESTED,
  });
  if (returnValue !== RETURN.done)
    throw wire.refused('Msvm_VirtualSystemManagementService.GetSummaryInformation', returnValue);
  const rows = instances(out['SummaryInformation']);
  if (rows.some((row) => text(row, 'Name') === '' || numeric(row, 'EnabledState') === 0)) return undefined;
  return rows.map((row) => summaryOf(row));
}

/** What a running machine uses. */
export interface MachineRuntime {
  /** Msvm_ComputerSystem.EnabledState */
  readonly state: number;
  readonly processors: number;
  /** Percent of all its processors together. */
  readonly processorLoad: number;
  /** 0 while it is off. */
  readonly memoryMb: number;
  readonly uptimeMs: number;
}

/** NumberOfProcessors, EnabledState, ProcessorLoad, MemoryUsage, UpTime. */
const RUNTIME = [4, 100, 101, 103, 105];

/** One machine's summary. @throws HyperVError HYPERV_NOT_FOUND when there is no such machine any more */
export async function readRuntime(
  wire: HostWire,
  machine: Pick<MachineHandle, 'settings'>,
): Promise<MachineRuntime> {
  const service = serviceReference('Msvm_VirtualSystemManagementService');
  const { out } = await wire.call(service, 'GetSummaryInformation', {
    SettingData: [machine.settings],
    RequestedInformation: RUNTIME,
  });
  const [row] = instances(out['SummaryInformation']);
  if (row === undefined)
    throw new HyperVError('HYPERV_NOT_FOUND', `${wire.host} has no such machine any more.`, {
      host: wire.host,
    });
  return {
    state: numeric(row, 'EnabledState'),
    processors: numeric(row, 'NumberOfProcessors'),
    processorLoad: numeric(row, 'ProcessorLoad'),
    memoryMb: numeric(row, 'MemoryUsage'),
    uptimeMs: numeric(row, 'UpTime'),
  };
}

function summaryOf(row: CimInstance): MachineSummary {
  // Notes are an array in the settings and a text here.
  const note =
    text(row, 'Notes')
      .split(/\r?\n/)
      .find((line) => line.trim() !== '') ?? '';
  return {
    id: text(row, 'Name').toUpperCase(),
    name: text(row, 'ElementName'),
    note: note.trim(),
    state: numeric(row, 'EnabledState'),
  };
}
