import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openDisk } from '@nova-hyperv/vhd';
import { pino } from 'pino';
import type { StoredVolume } from '../backend.js';
import { SmbBackend, smbShare } from '../smb-backend.js';
import { tempFolder } from './temp-folder.js';

export const GIB = 2 ** 30;
export const HOST = { host: 'hyperv1', ip: '127.0.0.1', initiator: 'iqn.1991-05.com.microsoft:hyperv1' };
export const newVolume = (sizeGb = 1): StoredVolume => ({ id: randomUUID(), sizeGb });
export const NOTHING = { volumes: [], snapshots: [], attachments: [] };

/** A started back end with a folder for images beside. */
export async function bench() {
  const folder = await tempFolder();
  const share = await smbShare(folder.path);
  const backend = new SmbBackend(folder.path, share, pino({ level: 'silent' }));
  await backend.start(NOTHING);
  const root = join(folder.path, 'volumes', 'smb');
  return {
    backend,
    share,
    folder: folder.path,
    file: (volume: StoredVolume) => join(share.folder, `volume-${volume.id}.vhdx`),
    /** Names of all that the back end keeps. */
    kept: async () => ({
      volumes: await readdir(share.folder),
      snapshots: await readdir(join(root, 'snapshots')),
      work: await readdir(join(root, 'work')),
    }),
    again: () => new SmbBackend(folder.path, share, pino({ level: 'silent' })),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

export async function write(path: string, text: string, offset = 0): Promise<void> {
  const disk = await openDisk(path);
  await disk.write(Buffer.from(text), offset);
  await disk.close();
}

export async function read(path: string, length: number, offset = 0): Promise<string> {
  const disk = await openDisk(path, { readOnly: true });
  const bytes = Buffer.alloc(length);
  await disk.read(bytes, offset);
  await disk.close();
  return bytes.toString();
}
