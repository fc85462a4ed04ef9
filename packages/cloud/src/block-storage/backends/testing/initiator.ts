import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConnectionInfo } from '../backend.js';
import { runTool } from './run-tool.js';

export const INITIATOR = 'iqn.1991-05.com.microsoft:hyperv1';

/** Fields of a connection, as a host's initiator uses them. */
export function fieldsOf({ data }: ConnectionInfo) {
  const field = (name: string): string => String(data[name]);
  return {
    portal: field('target_portal'),
    iqn: field('target_iqn'),
    lun: Number(data['target_lun']),
    username: field('auth_username'),
    password: field('auth_password'),
  };
}
export type Fields = ReturnType<typeof fieldsOf>;

/** libiscsi's iscsi-inq: logs in and asks for a page of the disk's inquiry data. Secrets in the environment. */
export function inquire(fields: Fields, initiator = INITIATOR, page = 131): Promise<string> {
  const { portal, iqn, lun, username, password } = fields;
  return runTool(
    'iscsi-inq',
    ['-i', initiator, '-e', '1', '-c', `${page}`, `iscsi://${portal}/${iqn}/${lun}`],
    {
      env: { LIBISCSI_CHAP_USERNAME: username, LIBISCSI_CHAP_PASSWORD: password },
    },
  );
}

/** Targets that a portal tells an initiator of. */
export async function discover(portal: string, initiator = INITIATOR): Promise<readonly string[]> {
  const text = await runTool('iscsi-ls', ['-i', initiator, `iscsi://${portal}`]).catch(() => '');
  return [...text.matchAll(/Target:(\S+)/g)].map(([, name = '']) => name);
}

const PROMPT = 'qemu-io> ';

/** QEMU's own initiator, logged in until it is ended. */
export class Session implements AsyncDisposable {
  readonly #child;
  #text = '';
  #waiting: (() => void) | undefined;

  private constructor(args: readonly string[]) {
    this.#child = spawn('qemu-io', [...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#text += text;
        this.#waiting?.();
      });
    this.#child.on('close', () => this.#waiting?.());
  }

  static async open(fields: Fields, folder: string): Promise<Session> {
    const secret = join(folder, 'chap');
    await writeFile(secret, fields.password, { mode: 0o600 });
    const drive = {
      driver: 'raw',
      file: {
        driver: 'iscsi',
        transport: 'tcp',
        portal: fields.portal,
        target: fields.iqn,
        lun: fields.lun,
        user: fields.username,
        'password-secret': 'chap',
        'initiator-name': INITIATOR,
      },
    };
    const session = new Session([
      '--object',
      `secret,id=chap,file=${secret}`,
      `json:${JSON.stringify(drive)}`,
    ]);
    await session.#answer();
    return session;
  }

  /** A command of qemu-io; its answer. */
  run(command: string): Promise<string> {
    this.#text = '';
    this.#child.stdin.write(`${command}\n`);
    return this.#answer();
  }

  /** It asks for the next command when it is done with one. */
  async #answer(): Promise<string> {
    while (!this.#text.endsWith(PROMPT)) {
      if (this.#child.exitCode !== null) throw new Error(`qemu-io ended: ${this.#text}`);
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
    return this.#text.slice(0, -PROMPT.length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }
}
