import { isRefusal } from '@nova-hyperv/hyperv';
import type { HyperVHost, InvokeOptions } from '@nova-hyperv/hyperv';
import { inspect } from '@nova-hyperv/vhd';
import { makeConfigDrive } from '../config-drive/config-drive-file.js';
import type { DiskFile } from '../plan/disks.js';
import type { SpawnRequest } from '../types.js';
import { copyToNew, removeFile } from './files.js';

/** Makes one file of an instance. Its folder exists; what a failure leaves goes with the folder. */
export async function makeDiskFile(
  host: HyperVHost,
  file: DiskFile,
  request: Pick<SpawnRequest, 'configDrive'> = {},
  options: InvokeOptions = {},
): Promise<void> {
  switch (file.kind) {
    case 'config-drive':
      if (request.configDrive === undefined)
        throw new Error('The plan has a config drive and the request none');
      await makeConfigDrive(host.reach.local(file.path), file.form, request.configDrive);
      return;
    case 'empty':
      await host.disks.create(
        { path: file.path, format: 'vhdx', type: 'dynamic', sizeBytes: file.sizeBytes },
        options,
      );
      return;
    case 'copy':
      await copyToNew(host.reach.local(file.source), host.reach.local(file.path));
      if (file.sizeBytes !== undefined) await host.disks.resize(file.path, file.sizeBytes, options);
      return;
    case 'difference':
      await makeDifference(host, file, options);
      return;
  }
}

type Difference = Extract<DiskFile, { kind: 'difference' }>;

/**
 * One call where the host makes a differencing disk with a size of its own; else it is made with its parent's and then resized. Whether
 * the size was heeded is read from the file itself, which costs no call.
 */
async function makeDifference(host: HyperVHost, file: Difference, options: InvokeOptions): Promise<void> {
  const { path, format, parent, sizeBytes } = file;
  const inherited = { path, format, type: 'differencing', parentPath: parent } as const;
  const inOneCall = sizeBytes !== undefined && host.shapes.allows('create-differencing-with-size');
  if (!inOneCall) {
    await host.disks.create(inherited, options);
    if (sizeBytes !== undefined) await host.disks.resize(path, sizeBytes, options);
    return;
  }
  const local = host.reach.local(path);
  try {
    await host.disks.create({ ...inherited, sizeBytes }, options);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    await removeFile(local);
    await host.disks.create(inherited, options);
    await host.disks.resize(path, sizeBytes, options);
    host.shapes.refuse(
      'create-differencing-with-size',
      error instanceof Error ? error.message : String(error),
    );
    return;
  }
  if ((await inspect(local)).virtualSize !== sizeBytes) {
    await host.disks.resize(path, sizeBytes, options);
    host.shapes.refuse('create-differencing-with-size', 'the size is not heeded');
  }
}
