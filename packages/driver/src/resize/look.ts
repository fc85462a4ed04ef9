import { STATE } from '@nova-hyperv/hyperv';
import type { DiskFacts, HyperVHost, MachineHandle } from '@nova-hyperv/hyperv';
import type { SizeRuleDisk } from '@nova-hyperv/vhd';
import type { DriverContext } from '../context.js';
import { withRequestFacts } from '../request-facts.js';
import { instanceNotFound, requireMachine } from '../lookup.js';
import { isInstanceDisk, isRootDisk, planResize } from '../plan/resize.js';
import type { ExistingDisk, ResizePlan } from '../plan/resize.js';
import type { DriveSpec, VmSpec } from '../plan/vm-spec.js';
import { nextStep } from '../realise/next-step.js';
import type { ObservedMachine } from '../realise/observed.js';
import { observe } from '../realise/realise.js';
import { specOf } from '../realise/spec-of.js';
import { planFactsOf } from '../spawn.js';
import type { Flavor, MigrationRequest } from '../types.js';

/** A machine as it is, and what a new flavor makes of it. */
export interface Look {
  readonly machine: MachineHandle;
  readonly observed: ObservedMachine;
  /** What the machine is, for a revert. */
  readonly spec: VmSpec;
  /** Msvm_ComputerSystem.EnabledState */
  readonly state: number;
  readonly disks: readonly ExistingDisk[];
  readonly plan: ResizePlan;
  /** Why the machine cannot go on running meanwhile; undefined when it can. */
  readonly whyNotLive: string | undefined;
}

export async function look(context: DriverContext, request: MigrationRequest): Promise<Look> {
  const { host, config } = context;
  const { instance, oldFlavor, image, vifs } = request;
  const machine = await requireMachine(host, instance);
  const [facts, observed, state] = await Promise.all([
    host.facts(),
    observe(host, machine),
    host.power.state(machine),
  ]);
  if (state === undefined) throw instanceNotFound(instance);
  const spec = specOf(observed, { nics: vifs });
  const disks: ExistingDisk[] = [];
  for (const drive of spec.drives) {
    if (drive.kind === 'disk' && isInstanceDisk(drive.path, spec.directory)) {
      disks.push(await existingDisk(host, drive));
    }
  }
  const input = {
    instance,
    oldFlavor,
    image,
    vifs,
    host: await withRequestFacts(context, request, planFactsOf(facts)),
    config,
    ownPciDevices: observed.pciDevices.map(({ deviceId }) => deviceId),
  };
  const bootOrder = spec.firmware.kind === 'uefi' ? spec.firmware.bootOrder : [];
  const rootIsVolume = !spec.drives.some(
    ({ path }) => isInstanceDisk(path, spec.directory) && isRootDisk(path),
  );
  const plan = planResize({ ...input, drives: spec.drives, bootOrder, disks, rootIsVolume });
  const settingsChange = nextStep(plan.vm, observed, facts.name) !== undefined;
  const seen = { machine, observed, spec, state, disks, plan };
  return { ...seen, whyNotLive: whyNotLive(seen, instance.flavor, settingsChange) };
}

async function existingDisk(host: HyperVHost, drive: DriveSpec): Promise<ExistingDisk> {
  const info = await host.disks.facts(drive.path);
  const base = await host.disks.bottomOf(info);
  return { drive, info, base: ruleOf(base) };
}

function ruleOf({ format, type, blockSize, logicalSectorSize }: DiskFacts): SizeRuleDisk {
  return { format, type, blockSize, logicalSectorSize };
}

/** `hyperv:live_resize` of the new flavor: whether a running machine may keep running while its root disk grows. */
export function liveWish(flavor: Flavor): 'optional' | 'required' | 'disabled' {
  const wish = flavor.extraSpecs['hyperv:live_resize']?.toLowerCase();
  return wish === 'required' || wish === 'disabled' ? wish : 'optional';
}

/** Resize-VHD: a VHDX on a SCSI controller can be resized while its machine runs. Everything else of a resize needs it off. */
function whyNotLive(
  { spec, state, disks, plan }: Omit<Look, 'whyNotLive' | 'machine' | 'observed'>,
  flavor: Flavor,
  settingsChange: boolean,
): string | undefined {
  const [change, ...others] = plan.changes;
  const root = disks.find(({ drive }) => isRootDisk(drive.path));
  if (liveWish(flavor) === 'disabled') return `flavor ${flavor.name} has hyperv:live_resize=disabled`;
  if (change === undefined || root === undefined || !plan.changes.some(({ path }) => isRootDisk(path)))
    return 'the new flavor does not make the root disk larger';
  if (spec.generation === 1)
    return 'the machine is of generation 1: its root disk is on an IDE controller, where Hyper-V resizes nothing while it runs';
  if (root.info.format !== 'vhdx') return 'the root disk is a VHD, and only a VHDX can be resized in use';
  if (settingsChange || others.length > 0 || change.kind !== 'grow')
    return 'the new flavor changes more than the size of the root disk';
  if (state !== STATE.running) return 'the machine is not running';
  return undefined;
}
