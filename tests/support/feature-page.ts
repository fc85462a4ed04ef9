import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT, runOk } from './run.js';
import type { TestCloud } from './test-cloud.js';

const TESTED = /^<!-- tested -->\n+```sh\n([\s\S]*?)^```$/gm;

/** The commands of a page of docs/features that stand below `<!-- tested -->`, block by block. */
export async function testedCommands(page: string): Promise<readonly string[]> {
  const text = await readFile(join(ROOT, 'docs/features', page), 'utf8');
  return [...text.matchAll(TESTED)].map(([, block]) => block ?? '');
}

/** Runs a block as an administrator of the cloud would paste it into a shell; its standard output. */
export async function runAsAdmin(
  cloud: TestCloud,
  block: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<string> {
  const script = `set -e\n. "$OPENRC"\n${block}`;
  const env = { ...cloud.clientEnv(), OPENRC: join(cloud.state, 'openrc'), ...variables };
  return runOk('bash', ['-c', script], { env, timeoutMs: 280_000 });
}
