import { chmod, open } from 'node:fs/promises';
import { createVhd, openDisk } from '@nova-hyperv/vhd';
import type { ConfigDrive } from '../types.js';
import { writeIso9660 } from './iso9660.js';

/** What cloud-init and cloudbase-init look for. Source: OpenStack's configuration of config drives. */
const VOLUME_ID = 'config-2';
const PUBLISHER = 'OpenStack Nova';
const MIB = 1024 * 1024;
/** Its files may hold the administrator's password. */
const MODE = 0o600;

/**
 * Makes a config drive as a new file: an ISO 9660 image, or a fixed VHD that holds one, as `qemu-img convert -O vpc` would make of it. The
 * VHD's size is a whole number of MiB. What a failure leaves goes with the instance's folder.
 */
export async function makeConfigDrive(
  localPath: string,
  form: 'iso' | 'vhd',
  { files, date }: ConfigDrive,
): Promise<void> {
  const image = writeIso9660(files, { volumeId: VOLUME_ID, publisher: PUBLISHER, date });
  if (form === 'iso') await writeIso(localPath, image);
  else await writeVhd(localPath, image);
}

async function writeIso(path: string, image: Buffer): Promise<void> {
  const file = await open(path, 'wx', MODE);
  try {
    await file.writeFile(image);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function writeVhd(path: string, image: Buffer): Promise<void> {
  await createVhd({ path, type: 'fixed', virtualSize: Math.ceil(image.length / MIB) * MIB });
  await chmod(path, MODE);
  const disk = await openDisk(path);
  try {
    await disk.write(image, 0);
    await disk.flush();
  } finally {
    await disk.close();
  }
}
