import { changeDisk, compactDisk, inspect, mergeDisk, setParent } from '@nova-hyperv/vhd';
import type { DiskInfo } from '@nova-hyperv/vhd';
import type { InvokeResult } from '@nova-hyperv/wsman';
import { numberOf, textOf } from '../cim.js';
import { HV, HyperVError } from '../errors.js';
import { parentResolver } from '../machines/parent-resolver.js';
import type { MethodCall, MethodHandler } from '../methods.js';
import type { ServiceContext } from '../services/context.js';
import { diskErrors } from './disk-files.js';
import {
  parentOf,
  requireClosed,
  requireUnused,
  STORAGE_JOB,
  storageJob,
  transferOptions,
} from './storage-job.js';

/** HyperV_v2, CompactVirtualHardDisk: full, quick, retrim, pretrimmed, prezeroed. */
const MOST_COMPACT_MODE = 4;
/** A longer chain is taken for a circle, which opening it tells. */
const MOST_DISKS = 128;

/** Methods of Msvm_ImageManagementService that change disk files in place. */
export function changeMethods(context: ServiceContext): Readonly<Record<string, MethodHandler>> {
  return {
    CompactVirtualHardDisk: (call) => compact(context, call),
    MergeVirtualHardDisk: (call) => merge(context, call),
    SetParentVirtualHardDisk: (call) => reconnect(context, call),
    SetVirtualHardDiskSettingData: (call) => change(context, call),
  };
}

/** H16. Whatever the mode, what is zero or was given up goes; the file systems inside are not looked at. */
async function compact(context: ServiceContext, call: MethodCall): Promise<InvokeResult> {
  const file = call.text('Path');
  const mode = call.number('Mode', 0);
  if (mode < 0 || mode > MOST_COMPACT_MODE) {
    throw new HyperVError(HV.invalidParameter, `Mode must be from 0 to ${MOST_COMPACT_MODE}.`, {
      direct: true,
    });
  }
  const local = context.host.paths.toLocal(file);
  return await storageJob(context, {
    caption: 'Compacting Virtual Hard Disk',
    jobType: STORAGE_JOB.compact,
    files: { writes: [local] },
    check: () =>
      diskErrors(file, async () => {
        requireClosed(context, local, file);
        const { format, type } = await inspect(local);
        if (format === 'vhd' && type === 'fixed')
          throw new HyperVError(HV.invalidParameter, `'${file}': A fixed VHD cannot be compacted.`);
      }),
    work: (control) =>
      diskErrors(file, async () => {
        await context.machines.bringIntoOrder(local);
        // A fixed VHDX keeps its blocks: there is nothing to give back.
        if ((await inspect(local)).type !== 'fixed') await compactDisk(local, transferOptions(control));
      }),
  });
}

/** H13. The merged file stays: deleting it is another call. */
async function merge(context: ServiceContext, call: MethodCall): Promise<InvokeResult> {
  const [source, destination] = [call.text('SourcePath'), call.text('DestinationPath')];
  const [from, into] = [context.host.paths.toLocal(source), context.host.paths.toLocal(destination)];
  const chain = await chainTo(context, from, into);
  return await storageJob(context, {
    caption: 'Merging Virtual Hard Disk',
    jobType: STORAGE_JOB.merge,
    files: { writes: chain },
    check: () =>
      diskErrors(source, async () => {
        for (const local of chain) requireClosed(context, local, context.host.paths.toWindows(local));
        requireDifferencing(source, await inspect(from));
        await diskErrors(destination, () => inspect(into));
        if (chain.at(-1) !== into || from === into) {
          throw new HyperVError(HV.invalidParameter, `'${destination}' is no parent of '${source}'.`);
        }
      }),
    work: (control) =>
      diskErrors(source, () =>
        mergeDisk(
          { path: from, resolveParent: parentResolver(context.host.paths) },
          { into },
          transferOptions(control),
        ),
      ),
  });
}

/** The files from a disk down to one of its parents; to the last that is found when that is not among them. */
async function chainTo(context: ServiceContext, from: string, into: string): Promise<readonly string[]> {
  const resolve = parentResolver(context.host.paths);
  const chain = [from];
  let current = from;
  while (current !== into && chain.length < MOST_DISKS) {
    const parent = await inspect(current).then(
      (info) => info.parent,
      // What is wrong with the file is told by the checks.
      () => undefined,
    );
    const child = current;
    const next = parent?.paths.map((locator) => resolve(locator, child)).find((found) => found !== undefined);
    if (next === undefined || chain.includes(next)) break;
    chain.push(next);
    current = next;
  }
  return chain;
}

/** H14. LeafPath tells through which disk a chain is in use; here a chain in use is refused in any case. */
async function reconnect(context: ServiceContext, call: MethodCall): Promise<InvokeResult> {
  const [child, parent] = [call.text('ChildPath'), call.text('ParentPath')];
  return await reconnectJob(context, child, parent, call.raw('IgnoreIDMismatch') === true);
}

async function reconnectJob(
  context: ServiceContext,
  child: string,
  parent: string,
  ignoreMismatch: boolean,
): Promise<InvokeResult> {
  const { paths } = context.host;
  const [local, parentFile] = [paths.toLocal(child), paths.toLocal(parent)];
  return await storageJob(context, {
    caption: 'Setting Parent of Virtual Hard Disk',
    jobType: STORAGE_JOB.unknown,
    files: { reads: local === parentFile ? [] : [parentFile], writes: [local] },
    check: () =>
      diskErrors(child, async () => {
        requireClosed(context, local, child);
        requireUnused(context, parentFile, parent);
        requireDifferencing(child, await inspect(local));
        await diskErrors(parent, () => inspect(parentFile));
      }),
    work: () =>
      diskErrors(child, () =>
        setParent(local, parentFile, {
          locators: parentOf(context, parent, local).locators,
          ignoreMismatch,
          resolveParent: parentResolver(paths),
        }),
      ),
  });
}

/** H15: one of three properties in a call. */
async function change(context: ServiceContext, call: MethodCall): Promise<InvokeResult> {
  const { properties } = call.instance('VirtualDiskSettingData', 'Msvm_VirtualHardDiskSettingData');
  const file = textOf(properties['Path']);
  const parentPath = textOf(properties['ParentPath']);
  const identifier = textOf(properties['VirtualDiskId']);
  const physicalSectorSize = numberOf(properties['PhysicalSectorSize']);
  const given = [parentPath !== '', identifier !== '', physicalSectorSize !== 0].filter(Boolean).length;
  if (given !== 1) {
    throw new HyperVError(
      HV.invalidParameter,
      'One of ParentPath, PhysicalSectorSize and VirtualDiskId must be given.',
      { direct: true },
    );
  }
  if (parentPath !== '') return await reconnectJob(context, file, parentPath, false);
  const local = context.host.paths.toLocal(file);
  return await storageJob(context, {
    caption: 'Setting Virtual Hard Disk Setting Data',
    jobType: STORAGE_JOB.unknown,
    files: { writes: [local] },
    check: () =>
      diskErrors(file, async () => {
        requireClosed(context, local, file);
        await inspect(local);
      }),
    work: () =>
      diskErrors(file, () => changeDisk(local, identifier === '' ? { physicalSectorSize } : { identifier })),
  });
}

function requireDifferencing(file: string, info: DiskInfo): void {
  if (info.type !== 'differencing')
    throw new HyperVError(HV.invalidParameter, `'${file}' is no differencing disk.`);
}
