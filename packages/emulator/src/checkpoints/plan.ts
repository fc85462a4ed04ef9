import path from 'node:path';
import type { CimInstance } from '@nova-hyperv/wsman';
import { dateTime, textOf, textsOf } from '../cim.js';
import { HV, HyperVError } from '../errors.js';
import { isKind } from '../machines/kinds.js';
import {
  STATE,
  changed,
  idOf,
  nameOf,
  resourceById,
  resourcesOf,
  settingsId,
  withResource,
} from '../machines/model.js';
import type { Checkpoint, CheckpointDisk, Machine } from '../machines/model.js';
import type { RuleHost } from '../machines/rules.js';

/** Msvm_VirtualSystemSettingData.VirtualSystemType. Source: HyperV_v2, Msvm_VirtualSystemSettingData. */
export const CHECKPOINT_TYPE = 'Microsoft:Hyper-V:Snapshot:Realized';

/** SnapshotType of CreateSnapshot that are served: full, and recovery. */
const SNAPSHOT_TYPES: readonly number[] = [2, 32_768];
const STATES: readonly number[] = [STATE.running, STATE.off, STATE.paused];

/** A checkpoint of a machine as it is, and the machine that goes on from there. Pure. @throws HyperVError */
export function planCheckpoint(machine: Machine, snapshotType: number, host: RuleHost): Machine {
  if (!SNAPSHOT_TYPES.includes(snapshotType))
    throw new HyperVError(HV.invalidParameter, 'SnapshotType must be 2 (full) or 32768 (recovery).');
  if (!STATES.includes(machine.enabledState))
    throw new HyperVError(
      HV.invalidState,
      `'${nameOf(machine)}' cannot be checkpointed in its present state.`,
    );
  const refused = resourcesOf(machine).find(
    (resource) => resource.className === 'Msvm_PciExpressSettingData' || isPhysicalDisk(resource),
  );
  if (refused !== undefined) {
    throw new HyperVError(
      HV.failed,
      `'${nameOf(machine)}' has a device of the host for itself (${textOf(refused.properties['ElementName'])}): it cannot be checkpointed.`,
    );
  }
  const id = host.newGuid();
  const disks = resourcesOf(machine)
    .filter((resource) => isKind(resource, 'hard-disk'))
    .flatMap((disk) => {
      const frozen = textsOf(disk.properties['HostResource'])[0] ?? '';
      return frozen === ''
        ? []
        : [{ resource: idOf(disk).toLowerCase(), frozen, active: activePath(frozen, host) }];
    });
  const checkpoint: Checkpoint = { ...copyOf(machine, id, host), id, disks };
  const next: Machine = { ...machine, checkpoints: [...(machine.checkpoints ?? []), checkpoint] };
  return disks.reduce((before, disk) => withFile(before, disk, disk.active), next);
}

/** The machine without a checkpoint: its disks are again what they were, with what was written since. @throws HyperVError */
export function planRemoval(machine: Machine, checkpointId: string): Machine {
  const checkpoints = machine.checkpoints ?? [];
  const checkpoint = checkpoints.at(-1);
  if (checkpoint?.id !== checkpointId)
    throw new HyperVError(HV.notSupported, 'Only the newest checkpoint of a virtual machine can be removed.');
  const next: Machine = { ...machine, checkpoints: checkpoints.slice(0, -1) };
  return checkpoint.disks.reduce((before, disk) => withFile(before, disk, disk.frozen), next);
}

/** Types 16 (DVD) to 18 with a disk of the host's. */
function isPhysicalDisk({ properties }: CimInstance): boolean {
  return textOf(properties['ResourceSubType']) === 'Microsoft:Hyper-V:Physical Disk Drive';
}

/** Beside the disk, as Hyper-V has it. */
function activePath(frozen: string, host: RuleHost): string {
  const { dir, name, ext } = path.win32.parse(frozen);
  // A checkpoint's checkpoint: one GUID is enough.
  const base = name.replace(/_[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}$/i, '');
  const extension = /^\.a?vhd$/i.test(ext) ? '.avhd' : '.avhdx';
  return path.win32.join(dir, `${base}_${host.newGuid()}${extension}`);
}

/** A disk that was removed since has nothing to be given back. */
function withFile(machine: Machine, { resource }: CheckpointDisk, file: string): Machine {
  const disk = resourceById(machine, resource);
  return disk === undefined ? machine : withResource(machine, changed(disk, { HostResource: [file] }));
}

function copyOf(machine: Machine, id: string, host: RuleHost): Pick<Checkpoint, 'settings' | 'resources'> {
  const [own, copied] = [settingsId(machine.id), settingsId(id)];
  const now = host.clock.now();
  const settings = changed(machine.settings, {
    InstanceID: copied,
    VirtualSystemType: CHECKPOINT_TYPE,
    ElementName: `${nameOf(machine)} - (${now.toISOString()})`,
    CreationTime: dateTime(now),
  });
  const renamed = (resource: CimInstance): CimInstance =>
    changed(resource, {
      InstanceID: `${copied}${idOf(resource).slice(own.length)}`,
      ...('Parent' in resource.properties
        ? { Parent: textOf(resource.properties['Parent']).replaceAll(machine.id, id) }
        : {}),
    });
  return { settings, resources: resourcesOf(machine).map(renamed) };
}
