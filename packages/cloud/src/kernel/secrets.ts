import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Folder of the secrets below the state folder. */
export const SECRETS_DIR = 'secrets';

/** Writes a file that only its owner can read, whole or not at all. */
export async function writeSecret(path: string, value: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(value);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** The secret called `name` of a state folder; made by `create` and kept (mode 0600) when there is none. */
export async function readOrCreateSecret(
  stateDir: string,
  name: string,
  create: () => string,
): Promise<string> {
  const path = join(stateDir, SECRETS_DIR, name);
  try {
    const value = (await readFile(path, 'utf8')).trim();
    if (value !== '') {
      await chmod(path, 0o600);
      return value;
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
  const value = create();
  await writeSecret(path, `${value}\n`);
  return value;
}

/** 144 random bits in 24 characters that no shell or YAML reads otherwise. */
export const randomPassword = (): string => {
  const text = randomBytes(18).toString('base64url');
  // A leading dash would read as an option on a command line.
  return text.startsWith('-') ? `x${text.slice(1)}` : text;
};
