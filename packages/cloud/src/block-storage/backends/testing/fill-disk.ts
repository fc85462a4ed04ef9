// Works in a folder whose disk is almost full, and tells how that went:  fill-disk.ts FOLDER vhdx|raw IMAGE
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { BackendError } from '../backend.js';
import { FileVolumes } from '../file-volumes.js';
import { DISK_FILES, volumeId } from './steps.js';

const [root = '', kind = '', image = ''] = process.argv.slice(2);
const disks = DISK_FILES[kind === 'raw' ? 'raw' : 'vhdx']();
const volumes = new FileVolumes({ root, disks, log: pino({ level: 'silent' }) });

async function codeOf(work: Promise<void>): Promise<string> {
  try {
    await work;
    return 'done';
  } catch (error) {
    return error instanceof BackendError ? error.code : String(error);
  }
}

await volumes.start([], [], () => false);
const source = { id: volumeId(1), sizeGb: 1 };
const codes = [
  await codeOf(volumes.createFromImage(source, { path: `${image}.small`, diskFormat: 'raw' })),
  await codeOf(volumes.createFromImage({ id: volumeId(2), sizeGb: 1 }, { path: image, diskFormat: 'raw' })),
  await codeOf(
    volumes.createFromImage({ id: volumeId(3), sizeGb: 1 }, { path: `${image}.qcow2`, diskFormat: 'qcow2' }),
  ),
  await codeOf(volumes.clone({ id: volumeId(4), sizeGb: 1 }, source)),
  await codeOf(volumes.createSnapshot({ id: volumeId(5), volumeId: source.id, sizeGb: 1 })),
  await codeOf(volumes.copyToFile(source, join(root, 'copy.raw'), 'raw')),
  await codeOf(volumes.copyToFile(source, join(root, 'copy.qcow2'), 'qcow2')),
];
process.stdout.write(JSON.stringify({ codes, left: await readdir(root, { recursive: true }) }));
