import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import {
  convertDisk,
  createVhd,
  createVhdx,
  inspect,
  minimumSize,
  openDisk,
  validateCreate,
} from '@nova-hyperv/vhd';
import type { Disk, DiskInfo } from '@nova-hyperv/vhd';
import type { InvokeResult } from '@nova-hyperv/wsman';
import { dateTime, v2 } from '../cim.js';
import { HV, HyperVError } from '../errors.js';
import { parentResolver } from '../machines/parent-resolver.js';
import { engineErrors } from '../machines/engine-errors.js';
import type { FileUse } from '../machines/running-guests.js';
import { completed } from '../methods.js';
import type { MethodCall, MethodHandler } from '../methods.js';
import { refuseShape } from '../services/context.js';
import type { ServiceContext } from '../services/context.js';
import { changeMethods } from './change-methods.js';
import { diskErrors, diskSettings, diskWish } from './disk-files.js';
import type { DiskWish } from './disk-files.js';
import { parentOf, requireUnused, STORAGE_JOB, storageJob, transferOptions } from './storage-job.js';

/** Methods of Msvm_ImageManagementService; those that are not here answer 32770. */
export function imageServiceMethods(context: ServiceContext): Readonly<Record<string, MethodHandler>> {
  return {
    CreateVirtualHardDisk: (call) => createDisk(context, call),
    ...changeMethods(context),
    ConvertVirtualHardDisk: (call) => convert(context, call),
    ResizeVirtualHardDisk: (call) => resize(context, call),
    ValidateVirtualHardDisk: (call) => validate(context, call),
    GetVirtualHardDiskSettingData: (call) => settingData(context, call),
    GetVirtualHardDiskState: (call) => state(context, call),
  };
}

async function createDisk(context: ServiceContext, call: MethodCall): Promise<InvokeResult> {
  const wish = diskWish(call.instance('VirtualDiskSettingData', 'Msvm_VirtualHardDiskSettingData'));
  refuseShape(
    context.host,
    'create-differencing-with-size',
    wish.type === 'differencing' && wish.virtualSize !== 0,
  );
  const local = context.host.paths.toLocal(wish.path);
  const parents = wish.type === 'differencing' ? [context.host.paths.toLocal(wish.parentPath)] : [];
  return await storageJob(context, {
    caption: 'Creating Virtual Hard Disk',
    jobType: STORAGE_JOB.create,
    files: { reads: parents, writes: [local] },
    check: () => diskErrors(wish.path, () => checkNewDisk(context, wish, local)),
    work: () => diskErrors(wish.path, () => makeDisk(context, wish, local)),
  });
}

async function checkNewDisk(context: ServiceContext, wish: DiskWish, local: string): Promise<void> {
  if (existsSync(local)) throw new HyperVError(HV.failed, `'${wish.path}': The file exists (0x80070050).`);
  if (!existsSync(path.dirname(local))) {
    throw new HyperVError(
      HV.fileNotFound,
      `'${wish.path}': The system cannot find the path specified (0x80070003).`,
    );
  }
  validateCreate(wish);
  if (wish.type !== 'differencing') {
    if (wish.parentPath !== '')
      throw new HyperVError(HV.invalidParameter, 'Only a differencing disk has a parent.');
    return;
  }
  const parentFile = context.host.paths.toLocal(wish.parentPath);
  requireUnused(context, parentFile, wish.parentPath); // Its user changes what the child is a difference to.
  const parent = await inspect(parentFile);
  if (parent.format !== wish.format) {
    throw new HyperVError(HV.invalidParameter, 'A differencing disk must have the format of its parent.');
  }
  if (wish.virtualSize !== 0 && wish.format === 'vhd' && wish.virtualSize !== parent.virtualSize) {
    throw new HyperVError(HV.invalidParameter, 'A differencing VHD has the size of its parent.');
  }
  if (wish.virtualSize !== 0 && wish.virtualSize < parent.virtualSize) {
    throw new HyperVError(HV.invalidParameter, 'A differencing disk cannot be smaller than its parent.');
  }
}

async function makeDisk(context: ServiceContext, wish: DiskWish, local: string): Promise<void> {
  const options = {
    path: local,
    type: wish.type,
    ...(wish.virtualSize === 0 ? {} : { virtualSize: wish.virtualSize }),
    ...(wish.blockSize === 0 ? {} : { blockSize: wish.blockSize }),
    ...(wish.type === 'differencing' ? { parent: parentOf(context, wish.parentPath, local) } : {}),
  };
  if (wish.format === 'vhd') {
    await createVhd(options);
    return;
  }
  const sectors = {
    ...(wish.logicalSectorSize === 0 ? {} : { logicalSectorSize: wish.logicalSectorSize }),
    ...(wish.physicalSectorSize === 0 ? {} : { physicalSectorSize: wish.physicalSectorSize }),
  };
  await createVhdx({ ...options, ...sectors });
}

async function convert(context: ServiceContext, call: MethodCall): Promise<InvokeResult> {
  const source = call.text('SourcePath');
  const settings = call.instance('VirtualDiskSettingData', 'Msvm_VirtualHardDiskSettingData');
  const wish = diskWish(settings);
  for (const name of ['BlockSize', 'LogicalSectorSize']) {
    if ((settings.properties[name] ?? null) === null)
      throw new HyperVError(HV.invalidParameter, `${name} must be given; 0 is the default.`, {
        direct: true,
      });
  }
  if (wish.type === 'differencing') {
    throw new HyperVError(HV.notSupported, 'Converting into a differencing disk is not supported.', {
      direct: true,
    });
  }
  const type = wish.type;
  const [from, to] = [context.host.paths.toLocal(source), context.host.paths.toLocal(wish.path)];
  return await storageJob(context, {
    caption: 'Converting Virtual Hard Disk',
    jobType: STORAGE_JOB.convert,
    files: { reads: [from], writes: [to] },
    check: () =>
      diskErrors(source, async () => {
        if (existsSync(to)) throw new HyperVError(HV.failed, `'${wish.path}': The file exists (0x80070050).`);
        requireUnused(context, from, source);
        const info = await inspect(from);
        validateCreate({ ...wish, virtualSize: info.virtualSize });
      }),
    work: (control) =>
      diskErrors(source, async () => {
        await context.machines.bringIntoOrder(from);
        await convertDisk(
          { path: from, resolveParent: parentResolver(context.host.paths) },
          {
            path: to,
            format: wish.format,
            type,
            ...(wish.blockSize === 0 ? {} : { blockSize: wish.blockSize }),
            ...(wish.logicalSectorSize === 0 ? {} : { logicalSectorSize: wish.logicalSectorSize }),
          },
          transferOptions(control),
        );
      }),
  });
}

async function resize(context: ServiceContext, call: MethodCall): Promise<InvokeResult> {
  const file = call.text('Path');
  const wanted = call.number('MaxInternalSize');
  const local = context.host.paths.toLocal(file);
  return await storageJob(context, {
    caption: 'Resizing Virtual Hard Disk',
    jobType: STORAGE_JOB.resize,
    files: { writes: [local] },
    check: () =>
      diskErrors(file, async () => {
        const [info, users] = [await inspect(local), context.machines.usersOf(local)];
        checkResize(info, wanted, users);
        const runs = users.length > 0 && info.type === 'differencing';
        if (runs && context.host.refuse.has('resize-running-difference'))
          throw new HyperVError(HV.inUse, 'A differencing disk in use cannot be resized.');
      }),
    work: () => diskErrors(file, () => resizeFile(context, local, wanted)),
  });
}

function checkResize(info: DiskInfo, wanted: number, users: readonly FileUse[]): void {
  if (info.format === 'vhd' && info.type === 'differencing') {
    throw new HyperVError(HV.invalidParameter, 'A differencing VHD cannot be resized.');
  }
  if (info.format === 'vhd' && wanted < info.virtualSize) {
    throw new HyperVError(HV.invalidParameter, 'A VHD cannot be made smaller.');
  }
  validateCreate({
    format: info.format,
    type: info.type,
    virtualSize: wanted,
    logicalSectorSize: info.logicalSectorSize,
    physicalSectorSize: info.physicalSectorSize,
  });
  const [user] = users;
  if (user === undefined) return;
  if (users.some((use) => use.isParent)) {
    throw new HyperVError(
      HV.inUse,
      'A running virtual machine has a disk that is a difference to this one: it cannot be resized.',
    );
  }
  if (info.format === 'vhd' || user.bus === 'ide') {
    throw new HyperVError(
      HV.inUse,
      'Only a VHDX on a SCSI controller can be resized while its virtual machine runs.',
    );
  }
  if (wanted < info.virtualSize || users.length > 1) {
    throw new HyperVError(HV.inUse, 'The disk of a running virtual machine can only be made larger here.');
  }
}

async function resizeFile(context: ServiceContext, local: string, wanted: number): Promise<void> {
  const [user] = context.machines.usersOf(local);
  if (user !== undefined) {
    const { logicalSectorSize } = await inspect(local);
    const size = Math.ceil(wanted / logicalSectorSize) * logicalSectorSize;
    // The engine holds the file open: it makes it larger and tells the guest.
    await engineErrors(
      () => context.engine.refreshDriveSize(user.machineId, user.driveId, size),
      context.host.paths,
    );
    return;
  }
  await context.machines.bringIntoOrder(local);
  const disk = await openDisk(local, { resolveParent: parentResolver(context.host.paths) });
  try {
    const size = Math.ceil(wanted / disk.logicalSectorSize) * disk.logicalSectorSize;
    await disk.resize(size);
    await disk.flush();
  } finally {
    await disk.close();
  }
}

async function validate(context: ServiceContext, call: MethodCall): Promise<InvokeResult> {
  const file = call.text('Path');
  const local = context.host.paths.toLocal(file);
  return await storageJob(context, {
    caption: 'Validating Virtual Hard Disk',
    jobType: STORAGE_JOB.validate,
    files: { reads: [local] },
    check: () => diskErrors(file, async () => await Promise.resolve(requireUnused(context, local, file))),
    work: () =>
      diskErrors(file, async () => {
        const disk = await openReadOnly(context, local);
        await disk.close();
      }),
  });
}

async function settingData(context: ServiceContext, call: MethodCall): Promise<InvokeResult> {
  const file = call.text('Path');
  const info = await diskErrors(file, () => inspect(context.host.paths.toLocal(file)));
  return completed({ SettingData: diskSettings(context.host, file, info) });
}

async function state(context: ServiceContext, call: MethodCall): Promise<InvokeResult> {
  const file = call.text('Path');
  const local = context.host.paths.toLocal(file);
  // A parent is read by the machine that has its child, and attached to none.
  const inUse =
    context.machines.usersOf(local).some((use) => !use.isParent) || context.machines.holds.isWritten(local);
  const info = await diskErrors(file, () => inspect(local));
  const least = inUse ? null : await diskErrors(file, () => leastSize(context, local, info));
  const told = v2('Msvm_VirtualHardDiskState', {
    FileSize: BigInt(info.fileSize),
    InUse: inUse,
    MinInternalSize: least === null ? null : BigInt(least),
    PhysicalSectorSize: info.physicalSectorSize,
    Alignment: 0,
    FragmentationPercentage: null,
    Timestamp: dateTime(statSync(local).mtime),
  });
  return completed({ State: told });
}

async function leastSize(context: ServiceContext, local: string, info: DiskInfo): Promise<number> {
  // Only a VHDX can be made smaller.
  if (info.format === 'vhd') return info.virtualSize;
  const disk = await openReadOnly(context, local);
  try {
    return await minimumSize(disk);
  } finally {
    await disk.close();
  }
}

/** A disk that nobody writes to. What a killed process left is brought into order first, as Windows does. */
async function openReadOnly(context: ServiceContext, local: string): Promise<Disk> {
  await context.machines.bringIntoOrder(local);
  return await openDisk(local, { readOnly: true, resolveParent: parentResolver(context.host.paths) });
}
