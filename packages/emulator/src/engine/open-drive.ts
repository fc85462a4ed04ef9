import { access, constants } from 'node:fs/promises';
import type { Disk } from '@nova-hyperv/vhd';
import { VhdError, openDisk, recogniseFile } from '@nova-hyperv/vhd';
import type { DiskClaims } from './disk-claims.js';
import { fileError } from './disk-claims.js';
import { EngineError } from './engine.js';
import type { DriveConfig } from './engine.js';

/**
 * This machine's path of a Windows path in a parent locator; undefined when it is none of this host's. The path may be
 * relative to the folder of the child, whose path on this machine is `childPath`.
 */
export type ResolvePath = (windowsPath: string, childPath: string) => string | undefined;

/** Formats that are disks, and so cannot be the content of a DVD. */
const DISK_FORMATS: ReadonlySet<string> = new Set(['vhd', 'vhdx', 'qcow', 'qcow2', 'vmdk', 'vdi']);

/**
 * Opens the disk of a drive with its parents, and claims all their files under `holder`. The disk is the caller's
 * to close, and then to release the claims; a failure leaves nothing claimed.
 * @throws EngineError FILE_NOT_FOUND, DISK_INVALID, DISK_IN_USE
 */
export async function openDriveDisk(
  claims: DiskClaims,
  machineId: string,
  holder: string,
  drive: DriveConfig & { readonly path: string },
  resolvePath: ResolvePath,
): Promise<Disk> {
  const readOnly = drive.readOnly ?? false;
  await claims.claim(machineId, holder, drive.path, !readOnly);
  let disk: Disk | undefined;
  try {
    const parents: string[] = [];
    disk = await openDisk(drive.path, {
      readOnly,
      resolveParent: (windowsPath, childPath) => {
        const local = resolvePath(windowsPath, childPath);
        if (local !== undefined) parents.push(local);
        return local;
      },
    });
    for (const parent of parents) await claimParent(claims, machineId, holder, parent);
    return disk;
  } catch (error) {
    await disk?.close();
    claims.release(machineId, holder);
    throw diskError(drive.path, error);
  }
}

/** A locator may name several places: those that hold nothing are no parents. */
async function claimParent(
  claims: DiskClaims,
  machineId: string,
  holder: string,
  path: string,
): Promise<void> {
  try {
    await claims.claim(machineId, holder, path, false);
  } catch (error) {
    if (!(error instanceof EngineError) || error.code !== 'FILE_NOT_FOUND') throw error;
  }
}

/**
 * Checks and claims the medium of a DVD drive.
 * @throws EngineError FILE_NOT_FOUND, DISK_INVALID, DISK_IN_USE
 */
export async function claimMedium(
  claims: DiskClaims,
  machineId: string,
  holder: string,
  path: string,
): Promise<void> {
  await claims.claim(machineId, holder, path, false);
  try {
    await access(path, constants.R_OK);
    const { format } = await recogniseFile(path);
    if (DISK_FORMATS.has(format)) {
      throw new EngineError(
        'DISK_INVALID',
        `${path} is a ${format.toUpperCase()} disk; a DVD drive takes ISO images.`,
      );
    }
  } catch (error) {
    claims.release(machineId, holder);
    throw error instanceof EngineError ? error : fileError(path, error);
  }
}

function diskError(path: string, error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  if (!(error instanceof VhdError)) return fileError(path, error);
  const code = error.code === 'VHD_PARENT_MISSING' ? 'FILE_NOT_FOUND' : 'DISK_INVALID';
  return new EngineError(code, error.message, { cause: error });
}
