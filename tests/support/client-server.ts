import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { ROOT, type Ran } from './run.js';

/** Of Debian, whose modules the client is made of. */
const PYTHON = '/usr/bin/python3';
const SERVER = join(ROOT, 'tests/support/client-server.py');

interface Waiting {
  readonly resolve: (code: number) => void;
  readonly reject: (error: Error) => void;
}

/** One process for all commands of a test file: see client-server.py. */
class ClientServer {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;

  constructor() {
    this.#process = spawn(PYTHON, [SERVER], { stdio: ['pipe', 'pipe', 'inherit'] });
    // It ends with its input; nobody waits for it.
    this.#process.unref();
    createInterface({ input: this.#process.stdout }).on('line', (line) => {
      const { id, code } = JSON.parse(line) as { id: number; code: number };
      this.#waiting.get(id)?.resolve(code);
      this.#waiting.delete(id);
    });
    this.#process.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the client ended by itself'));
    });
  }

  async run(
    argv: readonly string[],
    options: { env: Record<string, string>; timeoutMs: number; cwd?: string },
  ): Promise<Ran> {
    const folder = await mkdtemp(join(tmpdir(), 'openstack-client-'));
    const [out, err] = [join(folder, 'out'), join(folder, 'err')];
    const id = (this.#last += 1);
    const env = { ...process.env, ...options.env };
    const request = { id, argv, env, cwd: options.cwd ?? ROOT, out, err };
    let timer: NodeJS.Timeout | undefined;
    try {
      const code = await new Promise<number>((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject });
        timer = setTimeout(
          () => reject(new Error(`openstack ${argv.join(' ')}: no end within ${options.timeoutMs} ms`)),
          options.timeoutMs,
        );
        this.#process.stdin.write(`${JSON.stringify(request)}\n`);
      });
      return { code, stdout: await readFile(out, 'utf8'), stderr: await readFile(err, 'utf8') };
    } finally {
      clearTimeout(timer);
      await rm(folder, { recursive: true, force: true });
    }
  }
}

let server: ClientServer | undefined;

/** Runs the openstack client of the Debian that runs the tests. */
export function runOpenstack(
  argv: readonly string[],
  options: { env: Record<string, string>; timeoutMs: number; cwd?: string },
): Promise<Ran> {
  server ??= new ClientServer();
  return server.run(argv, options);
}
