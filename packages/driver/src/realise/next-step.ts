import type { VmSpec } from '../plan/vm-spec.js';
import { addDevices, addVideo, removeDevices } from './device-steps.js';
import { addControllers, addDrives, addMedia, modifyDrives } from './drive-steps.js';
import type { DiskPaths } from './drive-steps.js';
import { featureStep } from './feature-step.js';
import { modifyStep } from './modify-step.js';
import { addConnections, addNics } from './nic-steps.js';
import type { ObservedMachine } from './observed.js';
import { removalStep } from './removal-step.js';
import { settingsStep } from './settings-step.js';
import type { Step } from './step.js';

/**
 * The next call, or undefined when the machine is what the spec says. Pure. Everything that can go into one call goes into it: what
 * has its parent is added together, all changes of resources are one call, all changes of the machine's own settings another.
 */
export function nextStep(
  spec: VmSpec,
  machine: ObservedMachine,
  host: string,
  disks: DiskPaths = new Map(),
): Step | undefined {
  const needsHostsControllers =
    spec.controllers.some(({ bus }) => bus === 'ide') && machine.controllers.length === 0;
  if (!machine.complete && needsHostsControllers) return { kind: 'observe' };
  if (machine.complete) {
    const removal = removeDevices(spec, machine) ?? removalStep(spec, machine, disks);
    if (removal !== undefined) return removal;
  }
  const additions = [
    ...addControllers(spec, machine),
    ...addDrives(spec, machine, host, disks),
    ...addMedia(spec, machine, host),
  ];
  additions.push(...addNics(spec, machine, additions.length > 0), ...addConnections(spec, machine, host));
  if (additions.length > 0) return { kind: 'add', additions };
  if (!machine.complete) return { kind: 'observe' };
  return (
    addVideo(spec, machine) ??
    modifyStep(spec, machine, host, disks) ??
    featureStep(spec, machine) ??
    settingsStep(spec, machine, host) ??
    addDevices(spec, machine, host)
  );
}

/** As {@link nextStep}, for the drives alone: what a running machine can have changed. Network adapters and all else stay as they are. */
export function nextDriveStep(
  spec: VmSpec,
  machine: ObservedMachine,
  host: string,
  disks: DiskPaths = new Map(),
): Step | undefined {
  if (!machine.complete) return { kind: 'observe' };
  const removal = removalStep({ drives: spec.drives, nics: machine.nics }, machine, disks);
  if (removal !== undefined) return removal;
  const additions = [...addDrives(spec, machine, host, disks), ...addMedia(spec, machine, host)];
  if (additions.length > 0) return { kind: 'add', additions };
  const { resources, after } = modifyDrives(spec, machine, host, disks);
  return resources.length === 0 ? undefined : { kind: 'modify', resources, after };
}
