import { lstat, mkdir, mkdtemp } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { EngineError } from './engine.js';
import { readJsonFile, writeJsonFile } from './json-file.js';
import { MAX_SOCKET_PATH } from './socket-path.js';

/** Room for what lies below: `/pipes/` and a pipe name of 64 characters, the longest there is as a rule. */
const ROOM_BELOW = 72;

/**
 * The folder for sockets. It is in the state folder where its path is short enough for sockets, else in the system's
 * folder for temporary files; `runtime.json` in the state folder remembers it, so that the next process finds the
 * sockets of guests that outlived this one.
 */
export async function openRuntimeFolder(stateDir: string): Promise<string> {
  await mkdir(stateDir, { recursive: true });
  const memory = path.join(stateDir, 'runtime.json');
  const remembered = folderOf(await readJsonFile(memory));
  if (remembered !== undefined && (await isOurs(remembered))) return remembered;
  const folder = await makeFolder(path.resolve(stateDir, 'run'));
  await writeJsonFile(memory, { folder });
  return folder;
}

async function makeFolder(wanted: string): Promise<string> {
  if (Buffer.byteLength(wanted) + ROOM_BELOW <= MAX_SOCKET_PATH) {
    await mkdir(wanted, { recursive: true, mode: 0o700 });
    return wanted;
  }
  const folder = await mkdtemp(path.join(os.tmpdir(), 'nhv-'));
  if (Buffer.byteLength(folder) + ROOM_BELOW <= MAX_SOCKET_PATH) return folder;
  throw new EngineError(
    'FAILED',
    `${folder} is too long a path for sockets; set TMPDIR to a folder with a short path.`,
  );
}

function folderOf(content: unknown): string | undefined {
  if (typeof content !== 'object' || content === null || !('folder' in content)) return undefined;
  return typeof content.folder === 'string' && path.isAbsolute(content.folder) ? content.folder : undefined;
}

/** The temporary folder is everybody's: a folder there that was swapped for another's is not used. */
async function isOurs(folder: string): Promise<boolean> {
  const facts = await lstat(folder).catch(() => undefined);
  return facts?.isDirectory() === true && facts.uid === process.getuid?.();
}
