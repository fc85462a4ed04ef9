import { open, readFile, rename } from 'node:fs/promises';
import { errorCode } from '../system-error.js';

/** Replaces a JSON file as a whole: a process killed at any moment leaves the old or the new one. */
export async function writeJsonFile(file: string, content: unknown): Promise<void> {
  const next = `${file}.new`;
  const handle = await open(next, 'w', 0o600);
  try {
    await handle.writeFile(JSON.stringify(content));
    await handle.datasync();
  } finally {
    await handle.close();
  }
  await rename(next, file);
}

/** The content; undefined when there is no such file or it is not JSON (a disk that was full, a user's edit). */
export async function readJsonFile(file: string): Promise<unknown> {
  try {
    const content: unknown = JSON.parse(await readFile(file, 'utf8'));
    return content;
  } catch (error) {
    if (error instanceof SyntaxError || errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
