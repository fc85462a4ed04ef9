import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';

const run = promisify(execFile);

export interface ClientResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface OpenStackClient {
  /** Runs `openstack …`; resolves with its exit code, whatever that is. */
  run(...args: readonly string[]): Promise<ClientResult>;
  /** Runs `openstack … -f json` and reads its answer; throws with its error output when it fails. */
  json(...args: readonly string[]): Promise<unknown>;
  /** The environment, for other clients (`glance`, `nova`). */
  readonly env: NodeJS.ProcessEnv;
}

export interface ClientOptions {
  readonly url: string;
  readonly password: string;
  readonly user?: string;
  readonly project?: string;
  /** The client's program. */
  readonly program?: string;
}

/** What a child process that did not exit with 0 rejects with. */
const Failed = z.object({
  code: z.unknown(),
  stdout: z.string().default(''),
  stderr: z.string().default(''),
});
const TIMEOUT_MS = 60_000;

/** The unmodified Python client against a cloud. Nothing of the caller's own OS_* variables reaches it. */
export function openStackClient(options: ClientOptions): OpenStackClient {
  const env: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    HOME: '/nonexistent',
    LC_ALL: 'C.UTF-8',
    OS_AUTH_URL: `${options.url}/identity`,
    OS_USERNAME: options.user ?? 'admin',
    OS_PASSWORD: options.password,
    OS_PROJECT_NAME: options.project ?? 'admin',
    OS_USER_DOMAIN_NAME: 'Default',
    OS_PROJECT_DOMAIN_NAME: 'Default',
    OS_REGION_NAME: 'RegionOne',
    OS_IDENTITY_API_VERSION: '3',
  };
  const call = async (args: readonly string[]): Promise<ClientResult> => {
    try {
      const { stdout, stderr } = await run(options.program ?? 'openstack', args, {
        env,
        timeout: TIMEOUT_MS,
        maxBuffer: 16 * 1024 * 1024,
      });
      return { code: 0, stdout, stderr };
    } catch (error) {
      const { code, stdout, stderr } = Failed.parse(error);
      // No exit code: it could not be started, or was ended for taking too long.
      return {
        code: typeof code === 'number' ? code : -1,
        stdout,
        stderr: stderr === '' ? String(error) : stderr,
      };
    }
  };
  return {
    env,
    run: (...args) => call(args),
    async json(...args) {
      const result = await call([...args, '-f', 'json']);
      if (result.code !== 0) throw new Error(`openstack ${args.join(' ')}: ${result.stderr}`);
      const answer: unknown = JSON.parse(result.stdout);
      return answer;
    },
  };
}
