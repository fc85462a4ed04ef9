import path from 'node:path';
import type { TransferOptions } from '@nova-hyperv/vhd';
import type { InvokeResult } from '@nova-hyperv/wsman';
import { HV, HyperVError } from '../errors.js';
import type { JobControl } from '../jobs.js';
import type { FilesOfWork } from '../machines/file-holds.js';
import { jobStarted, keyOf } from '../methods.js';
import { refusal } from '../services/context.js';
import type { ServiceContext } from '../services/context.js';

/** `JobType` of Msvm_StorageJob; work without a number of its own is of an unknown type. Source: HyperV_v2, Msvm_StorageJob. */
export const STORAGE_JOB = {
  unknown: 0,
  create: 1,
  compact: 3,
  resize: 4,
  merge: 5,
  convert: 6,
  validate: 9,
} as const;

export interface StorageWork {
  readonly caption: string;
  readonly jobType: number;
  /** Held from the checks to the end of the job. */
  readonly files: FilesOfWork;
  readonly check: () => Promise<void>;
  readonly work: (control: JobControl) => Promise<void>;
}

/** Runs deep checks, then the work, in a Msvm_StorageJob; checks are told as the host's option says. */
export async function storageJob(context: ServiceContext, storage: StorageWork): Promise<InvokeResult> {
  const { caption, jobType, files, check, work } = storage;
  const request = { caption, jobType, className: 'Msvm_StorageJob' } as const;
  let release: (() => void) | undefined;
  try {
    release = context.machines.holds.hold(files);
    await check();
  } catch (error) {
    release?.();
    return refusal(context, error, request);
  }
  const job = context.jobs.start({ ...request, affects: [], cancellable: true, work });
  // Not at the end of the work: a job that is killed early never comes to it.
  void context.jobs.finished(keyOf(job, 'InstanceID')).finally(release);
  return jobStarted(job);
}

/** How a long work on a disk file tells its job how far it is, and hears that it is cancelled. */
export function transferOptions(control: JobControl): TransferOptions {
  return {
    signal: control.signal,
    onProgress: ({ done, total }) => control.progress((100 * done) / Math.max(1, total)),
  };
}

/** H19: the parent is stored by its absolute and its relative path. */
export function parentOf(
  context: ServiceContext,
  parentPath: string,
  local: string,
): { path: string; locators: { relativePath: string; absoluteWin32Path: string } } {
  const parent = context.host.paths.toLocal(parentPath);
  const absolute = context.host.paths.toWindows(parent);
  const relative = path.win32.relative(path.win32.dirname(context.host.paths.toWindows(local)), absolute);
  return {
    path: parent,
    locators: {
      relativePath: relative.startsWith('..') ? relative : `.\\${relative}`,
      absoluteWin32Path: absolute,
    },
  };
}

/** H11. */
export function requireUnused(context: ServiceContext, local: string, file: string): void {
  if (context.machines.usersOf(local).some((use) => !use.readOnly)) {
    throw inUse(file);
  }
}

/** For work that changes the file, or that a reader must not see: nobody at all may have it open. */
export function requireClosed(context: ServiceContext, local: string, file: string): void {
  if (context.machines.usersOf(local).length > 0) throw inUse(file);
}

function inUse(file: string): HyperVError {
  return new HyperVError(
    HV.inUse,
    `The process cannot access the file because it is being used by another process: '${file}' (0x80070020).`,
  );
}
