import type { CimInstance, Schema } from '@nova-hyperv/wsman';
import { damaged } from '../state-files.js';
import type { StateFiles } from '../state-files.js';
import { typedInstance } from '../store/typing.js';
import { isCollectedMetric } from '../metrics/collection.js';
import type { CollectedMetric } from '../metrics/collection.js';
import { isPlacement } from '../numa/placement.js';
import type { Placement } from '../numa/placement.js';
import { STATE, idOf, settingsId } from './model.js';
import type { Checkpoint, CheckpointDisk, Machine } from './model.js';

const FORMAT = 1;

interface MachineFile {
  readonly format: typeof FORMAT;
  readonly id: string;
  readonly settings: CimInstance;
  readonly resources: readonly CimInstance[];
  readonly lastStateChange: string | null;
  readonly lastConfigurationChange: string;
  readonly wasRunning: boolean;
  /** Absent in files of before there were NUMA nodes. */
  readonly placement?: Placement | null;
  readonly metrics?: readonly CollectedMetric[];
  readonly keyProtector?: string;
  readonly securityPolicy?: string;
  readonly checkpoints?: readonly Checkpoint[];
}

export function saveMachine(files: StateFiles, machine: Machine): void {
  const content: MachineFile = {
    format: FORMAT,
    id: machine.id,
    settings: machine.settings,
    resources: [...machine.resources.values()],
    lastStateChange: machine.lastStateChange,
    lastConfigurationChange: machine.lastConfigurationChange,
    wasRunning: machine.wasRunning,
    placement: machine.placement,
    ...(machine.metrics === undefined ? {} : { metrics: machine.metrics }),
    ...securityOf(machine),
    ...(machine.checkpoints === undefined ? {} : { checkpoints: machine.checkpoints }),
  };
  files.write(machine.id, content);
}

/** Only what is there: absent means that none was set. */
function securityOf({
  keyProtector,
  securityPolicy,
}: Pick<Machine, 'keyProtector' | 'securityPolicy'>): Pick<Machine, 'keyProtector' | 'securityPolicy'> {
  return {
    ...(keyProtector === undefined ? {} : { keyProtector }),
    ...(securityPolicy === undefined ? {} : { securityPolicy }),
  };
}

/** All machines of the folder, off; what still runs is told by the engine. Throws EMULATOR_STATE for a damaged file. */
export function loadMachines(files: StateFiles, schema: Schema): readonly Machine[] {
  return files.names().map((name) => machineFrom(files, name, schema));
}

function machineFrom(files: StateFiles, name: string, schema: Schema): Machine {
  const content = files.read(name);
  const fail = (why: string, cause?: unknown): never => {
    throw damaged(`${files.folder}/${name}.json`, why, cause);
  };
  if (!isMachineFile(content)) return fail('it does not describe a virtual machine');
  if (content.id !== name) return fail(`it describes ${content.id}`);
  try {
    const settings = typedInstance(schema, content.settings);
    const resources = content.resources.map((resource) => typedInstance(schema, resource));
    const prefix = `${settingsId(content.id)}\\`.toLowerCase();
    if (
      idOf(settings) !== settingsId(content.id) ||
      resources.some((resource) => !idOf(resource).toLowerCase().startsWith(prefix))
    ) {
      return fail('it holds settings of another virtual machine');
    }
    return {
      id: content.id,
      settings,
      resources: new Map(resources.map((resource) => [idOf(resource).toLowerCase(), resource])),
      enabledState: STATE.off,
      requestedState: 5,
      lastStateChange: content.lastStateChange,
      lastConfigurationChange: content.lastConfigurationChange,
      startedAt: null,
      wasRunning: content.wasRunning,
      placement: content.placement ?? null,
      ...(content.metrics === undefined ? {} : { metrics: content.metrics }),
      ...securityOf(content),
      ...(content.checkpoints === undefined
        ? {}
        : { checkpoints: content.checkpoints.map((one) => typed(one, schema)) }),
    };
  } catch (error) {
    return fail(error instanceof Error ? error.message : 'its settings cannot be read', error);
  }
}

function typed(checkpoint: Checkpoint, schema: Schema): Checkpoint {
  return {
    ...checkpoint,
    settings: typedInstance(schema, checkpoint.settings),
    resources: checkpoint.resources.map((resource) => typedInstance(schema, resource)),
  };
}

function isCheckpoint(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const one = value as Partial<Record<keyof Checkpoint, unknown>>;
  return (
    typeof one.id === 'string' &&
    isInstanceLike(one.settings) &&
    Array.isArray(one.resources) &&
    one.resources.every(isInstanceLike) &&
    Array.isArray(one.disks) &&
    one.disks.every(isCheckpointDisk)
  );
}

function isCheckpointDisk(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const disk = value as Partial<Record<keyof CheckpointDisk, unknown>>;
  return [disk.resource, disk.frozen, disk.active].every((path) => typeof path === 'string');
}

function isMachineFile(content: unknown): content is MachineFile {
  if (typeof content !== 'object' || content === null) return false;
  const file = content as Partial<Record<keyof MachineFile, unknown>>;
  return (
    file.format === FORMAT &&
    typeof file.id === 'string' &&
    isInstanceLike(file.settings) &&
    Array.isArray(file.resources) &&
    file.resources.every(isInstanceLike) &&
    (file.lastStateChange === null || typeof file.lastStateChange === 'string') &&
    typeof file.lastConfigurationChange === 'string' &&
    typeof file.wasRunning === 'boolean' &&
    (file.placement === undefined || file.placement === null || isPlacement(file.placement)) &&
    (file.metrics === undefined || (Array.isArray(file.metrics) && file.metrics.every(isCollectedMetric))) &&
    (file.checkpoints === undefined ||
      (Array.isArray(file.checkpoints) && file.checkpoints.every(isCheckpoint))) &&
    isOptionalText(file.keyProtector) &&
    isOptionalText(file.securityPolicy)
  );
}

function isOptionalText(value: unknown): boolean {
  return value === undefined || typeof value === 'string';
}

function isInstanceLike(value: unknown): value is CimInstance {
  if (typeof value !== 'object' || value === null) return false;
  const instance = value as Partial<CimInstance>;
  return (
    instance.kind === 'instance' &&
    typeof instance.className === 'string' &&
    typeof instance.properties === 'object' &&
    instance.properties !== null
  );
}
