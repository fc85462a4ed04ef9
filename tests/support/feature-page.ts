import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fencedBlocks } from './markdown.js';
import { ROOT, runOk } from './run.js';
import type { TestCloud } from './test-cloud.js';

const FOLDER = join(ROOT, 'docs/features');
/** Where npm puts `nova-hyperv`. */
const COMMANDS = join(ROOT, 'node_modules/.bin');

/** Every page about a feature. */
export async function featurePages(): Promise<readonly string[]> {
  return (await readdir(FOLDER)).filter((name) => name.endsWith('.md')).toSorted();
}

/** The commands that a page tells its reader to type: its fenced `sh` blocks. @throws Error when there are none */
export async function commandsOf(page: string): Promise<readonly string[]> {
  const blocks = await fencedBlocks(join(FOLDER, page), 'sh');
  if (blocks.length === 0)
    throw new Error(`docs/features/${page} has no commands: a \`\`\`sh block shows how the feature is used`);
  return blocks;
}

/** The nova.conf that a page shows: its fenced `ini` blocks. */
export async function novaConfOf(page: string): Promise<string> {
  return (await fencedBlocks(join(FOLDER, page), 'ini')).join('\n');
}

/** Runs commands as an administrator of the cloud would paste them into a shell; their standard output. */
export async function runAsAdmin(
  cloud: TestCloud,
  commands: string,
  options: { readonly variables?: Readonly<Record<string, string>>; readonly cwd?: string } = {},
): Promise<string> {
  const script = `set -e\n. "$OPENRC"\n${commands}`;
  const env = {
    ...cloud.clientEnv(),
    OPENRC: join(cloud.state, 'openrc'),
    PATH: `${COMMANDS}:${process.env['PATH'] ?? ''}`,
    ...options.variables,
  };
  return runOk('bash', ['-c', script], { env, timeoutMs: 280_000, cwd: options.cwd ?? ROOT });
}
