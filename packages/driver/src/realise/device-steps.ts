import type { CimInstance } from '@nova-hyperv/wsman';
import type { PciDeviceSpec, VideoSpec, VmSpec } from '../plan/vm-spec.js';
import { sameText } from './rows.js';
import type { ObservedMachine } from './observed.js';
import * as build from './settings.js';
import type { Addition, Modification, Step } from './step.js';

/** Addresses of the emulated video adapter of generation 1: beside a RemoteFX adapter, and as it is otherwise. */
const S3_WITH_REMOTEFX = '02C1,00000000,01';
const S3_ALONE = '5353,00000000,00';

function sameDevice(a: PciDeviceSpec, b: PciDeviceSpec): boolean {
  return sameText(a.systemName, b.systemName) && sameText(a.deviceId, b.deviceId);
}

/** Devices that are not wanted go first: memory and stop action may be what they forbid. */
export function removeDevices(spec: VmSpec, machine: ObservedMachine): Step | undefined {
  const extra = machine.pciDevices.filter(
    (has) => !spec.pciDevices.some((wanted) => sameDevice(wanted, has)),
  );
  const video =
    machine.video === undefined || machine.video.spec.kind === spec.video.kind ? undefined : machine.video;
  const references = [
    ...extra.map(({ reference }) => reference),
    ...(video === undefined ? [] : [video.reference]),
  ];
  if (references.length === 0) return undefined;
  const { video: _video, ...rest } = machine;
  const after: ObservedMachine = {
    ...(video === undefined ? machine : rest),
    pciDevices: machine.pciDevices.filter((has) => !extra.includes(has)),
  };
  return { kind: 'remove', references, after };
}

/** Devices that are wanted come last: memory and stop action must be right before. */
export function addDevices(spec: VmSpec, machine: ObservedMachine, host: string): Step | undefined {
  const additions = spec.pciDevices
    .filter((wanted) => !machine.pciDevices.some((has) => sameDevice(wanted, has)))
    .map((wanted): Addition => ({
      instance: build.newPciDevice(wanted, host),
      onDefaultOf: 'pciDevice',
      apply: (before, reference) => ({
        ...before,
        pciDevices: [...before.pciDevices, { reference, ...wanted }],
      }),
    }));
  return additions.length === 0 ? undefined : { kind: 'add', additions };
}

/** A machine has one video adapter: this one comes when the other has gone. */
export function addVideo(spec: VmSpec, machine: ObservedMachine): Step | undefined {
  const { video } = spec;
  if (machine.video !== undefined) return undefined;
  const addition: Addition = {
    instance: build.newVideo(video),
    onDefaultOf: video.kind === 'remotefx' ? 'remoteFxDisplay' : 'syntheticDisplay',
    apply: (before, reference) => ({ ...before, video: { reference, spec: video } }),
  };
  return { kind: 'add', additions: [addition] };
}

export function modifyVideo(spec: VmSpec, machine: ObservedMachine): Modification {
  const resources: CimInstance[] = [];
  let after = machine;
  const { video, s3Display } = machine;
  if (video !== undefined && !sameVideo(spec.video, video.spec)) {
    resources.push(build.change(video.reference, build.videoProperties(spec.video)));
    after = { ...after, video: { ...video, spec: spec.video } };
  }
  const address = s3Display === undefined ? undefined : s3Address(spec.video, s3Display.address);
  if (s3Display !== undefined && address !== undefined) {
    resources.push(build.change(s3Display.reference, { Address: address }));
    after = { ...after, s3Display: { ...s3Display, address } };
  }
  return { resources, after };
}

/** Kinds are the same here: the adapter of the other kind has been removed. */
function sameVideo(wanted: VideoSpec, has: VideoSpec): boolean {
  if (wanted.kind !== 'remotefx' || has.kind !== 'remotefx') return true;
  return (
    wanted.resolution === has.resolution &&
    wanted.monitors === has.monitors &&
    (wanted.vramMb === null || wanted.vramMb === has.vramMb)
  );
}

/** Undefined: right as it is. A host's own address is left alone, but for the one that goes with RemoteFX. */
function s3Address(video: VideoSpec, has: string): string | undefined {
  if (video.kind === 'remotefx') return sameText(has, S3_WITH_REMOTEFX) ? undefined : S3_WITH_REMOTEFX;
  return sameText(has, S3_WITH_REMOTEFX) ? S3_ALONE : undefined;
}
