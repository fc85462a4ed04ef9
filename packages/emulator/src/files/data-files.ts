import {
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  rmdirSync,
} from 'node:fs';
import type { Stats } from 'node:fs';
import path from 'node:path';
import type { CimInstance, CimValue } from '@nova-hyperv/wsman';
import { CIMV2, dateTime, instance } from '../cim.js';
import { HV, HyperVError } from '../errors.js';
import { keyOf, returned } from '../methods.js';
import type { MethodCall, MethodHandler } from '../methods.js';
import type { ServiceContext } from '../services/context.js';
import type { InstanceSource } from '../store/store.js';
import type { QueryHint } from '../store/wql.js';
import { errorCode } from '../system-error.js';

/** Return codes of CIM_DataFile's and Win32_Directory's methods. Source: WMI SDK, CIM_LogicalFile. */
const FILE = {
  ok: 0,
  accessDenied: 2,
  failure: 8,
  invalidObject: 9,
  exists: 10,
  notSameDrive: 13,
  notEmpty: 14,
  sharing: 15,
  invalidParameter: 21,
} as const;

const REFUSALS: Readonly<Record<number, number>> = {
  [HV.accessDenied]: FILE.accessDenied,
  [HV.fileNotFound]: FILE.invalidObject,
};

/** Most files that a query without a path may look at: on a real host such a query scans every disk. */
const SCAN_LIMIT = 20_000;

/** Files and folders of drive C, and by `Name`, or `Drive` and `Path`, of shares. A query by `Name`, or by `Drive` and `Path`, looks only there. */
export function fileSources(context: ServiceContext): readonly InstanceSource[] {
  const source = (className: 'CIM_DataFile' | 'Win32_Directory'): InstanceSource => ({
    namespace: CIMV2,
    className,
    list: (hint) =>
      [...candidates(context, hint)]
        .map((local) => entryOf(context, local))
        .filter((entry) => entry !== undefined)
        .filter((entry) => entry.className === className),
  });
  return [source('CIM_DataFile'), source('Win32_Directory')];
}

function* candidates(context: ServiceContext, hint: QueryHint): Iterable<string> {
  const name = hint.equals.get('name');
  const folder = hint.equals.get('path');
  try {
    if (name !== undefined) {
      yield context.host.paths.toLocal(name);
      return;
    }
    if (folder !== undefined) {
      const drive = hint.equals.get('drive') ?? 'c:';
      const local = context.host.paths.toLocal(`${drive}${folder}`);
      for (const entry of readdirSync(local)) yield path.join(local, entry);
      return;
    }
  } catch (error) {
    // A path that cannot be, or a folder that is not there, has no files.
    if (error instanceof HyperVError || isMissing(error)) return;
    throw error;
  }
  yield* walk(context.host.paths.root, { left: SCAN_LIMIT });
}

function* walk(folder: string, budget: { left: number }): Iterable<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    budget.left -= 1;
    if (budget.left < 0) return;
    const local = path.join(folder, entry.name);
    yield local;
    if (entry.isDirectory()) yield* walk(local, budget);
  }
}

function entryOf(context: ServiceContext, local: string): CimInstance | undefined {
  const stats = lstatSync(local, { throwIfNoEntry: false });
  // Links would lead out of the drive.
  if (stats === undefined || !(stats.isFile() || stats.isDirectory())) return undefined;
  const className = stats.isDirectory() ? 'Win32_Directory' : 'CIM_DataFile';
  return instance(CIMV2, className, fileProperties(context.host.paths.toWindows(local).toLowerCase(), stats));
}

function fileProperties(name: string, stats: Stats): Record<string, CimValue> {
  const base = path.win32.basename(name);
  const extension = stats.isDirectory() ? '' : path.win32.extname(base).slice(1);
  const drive = path.win32.parse(name).root.replace(/\\$/, '');
  const folder = path.win32.dirname(name).slice(drive.length);
  return {
    Name: name,
    Caption: name,
    Description: name,
    Drive: drive,
    Path: folder.endsWith('\\') ? folder : `${folder}\\`,
    FileName: extension === '' ? base : base.slice(0, -extension.length - 1),
    Extension: extension,
    FileSize: stats.isDirectory() ? null : BigInt(stats.size),
    FileType: stats.isDirectory() ? 'File Folder' : `${extension} File`,
    CreationDate: dateTime(stats.birthtime),
    InstallDate: dateTime(stats.birthtime),
    LastModified: dateTime(stats.mtime),
    LastAccessed: dateTime(stats.atime),
    Readable: true,
    Writeable: true,
    Hidden: false,
    System: false,
    Archive: true,
    Compressed: false,
    Encrypted: false,
    FSName: 'NTFS',
    Status: 'OK',
    CreationClassName: stats.isDirectory() ? 'Win32_Directory' : 'CIM_LogicalFile',
  };
}

/** Methods of files, folders and processes in root/cimv2. */
export function fileMethods(
  context: ServiceContext,
): Readonly<Record<string, Readonly<Record<string, MethodHandler>>>> {
  const answer =
    (work: (local: string, call: MethodCall) => number): MethodHandler =>
    (call) => {
      try {
        return returned(work(context.host.paths.toLocal(keyOf(call.reference, 'Name')), call));
      } catch (error) {
        return returned(codeOf(error));
      }
    };
  return {
    CIM_LogicalFile: {
      Delete: answer((local) => remove(context, local)),
      Copy: answer((local, call) => copy(context, local, call.text('FileName'))),
      Rename: answer((local, call) => rename(context, local, call.text('FileName'))),
    },
    // 8, unknown failure: there is no Windows that could run a program.
    Win32_Process: { Create: () => returned(8) },
  };
}

function remove(context: ServiceContext, local: string): number {
  const stats = lstatSync(local);
  if (stats.isDirectory()) {
    rmdirSync(local);
    return FILE.ok;
  }
  if (isInUse(context, local)) return FILE.sharing;
  rmSync(local);
  return FILE.ok;
}

function copy(context: ServiceContext, local: string, target: string): number {
  const to = targetOf(context, target);
  if (typeof to === 'number') return to;
  if (lstatSync(local).isDirectory()) return FILE.failure;
  if (context.machines.usersOf(local).some((use) => !use.readOnly) || context.machines.holds.isWritten(local))
    return FILE.sharing;
  copyFileSync(local, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  const descriptor = openSync(to, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
  return FILE.ok;
}

function rename(context: ServiceContext, local: string, target: string): number {
  const to = targetOf(context, target);
  if (typeof to === 'number') return to;
  const isMoved = lstatSync(local).isDirectory() ? isAnyInUse(context, local) : isInUse(context, local);
  if (isMoved) return FILE.sharing;
  if (driveOf(context, local) !== driveOf(context, to)) return FILE.notSameDrive;
  renameSync(local, to);
  return FILE.ok;
}

/** `C:` or a share, in lower case. */
function driveOf(context: ServiceContext, local: string): string {
  return path.win32.parse(context.host.paths.toWindows(local)).root.toLowerCase();
}

function isInUse(context: ServiceContext, local: string): boolean {
  return context.machines.usersOf(local).length > 0 || context.machines.holds.isHeld(local);
}

/** A folder with an open file in it keeps its name. */
function isAnyInUse(context: ServiceContext, folder: string): boolean {
  return (
    context.machines.filesInUse().some((file) => file.startsWith(`${folder}${path.sep}`)) ||
    context.machines.holds.isAnyHeldIn(folder)
  );
}

/** This machine's path of a target that must not exist; a return code when it cannot be. */
function targetOf(context: ServiceContext, target: string): string | number {
  if (/^[abd-z]:\\/i.test(target)) return FILE.notSameDrive;
  const local = context.host.paths.toLocal(target);
  return lstatSync(local, { throwIfNoEntry: false }) === undefined ? local : FILE.exists;
}

function codeOf(error: unknown): number {
  if (error instanceof HyperVError) return REFUSALS[error.returnValue] ?? FILE.invalidParameter;
  switch (errorCode(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return FILE.invalidObject;
    case 'EEXIST':
      return FILE.exists;
    case 'ENOTEMPTY':
      return FILE.notEmpty;
    case 'EACCES':
    case 'EPERM':
      return FILE.accessDenied;
    default:
      return FILE.failure;
  }
}

function isMissing(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}
