import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const START_MS = 10_000;

/** A real iSCSI target (Debian's tgt) on a loopback port. */
export interface Tgt {
  readonly address: '127.0.0.1';
  readonly port: number;
  readonly folder: string;
  /** A target with one LUN (1) in a raw file; gives the file. Sizes in bytes. */
  addTarget(options: { id: number; name: string; size: number; user?: string }): Promise<string>;
  /** Grows a target's LUN 1, as a storage back end does. */
  grow(id: number, file: string, size: number): Promise<void>;
  admin(...args: readonly string[]): Promise<string>;
  stop(): Promise<void>;
}

/** Its accounts' names and secrets. */
export const ACCOUNT = { user: 'cinder', secret: 'a-secret-of-16-b' };

export async function startTgt(): Promise<Tgt> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tgt-'));
  const port = await freePort();
  // The control socket's number must be free as well: it is of the same range.
  const control = String(port % 32_768);
  const daemon = spawn('tgtd', ['-f', '-C', control, '--iscsi', `portal=127.0.0.1:${port}`], {
    stdio: 'ignore',
    env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` },
  });
  const ended = new Promise<void>((resolve) => {
    daemon.once('exit', () => resolve());
    daemon.once('error', () => resolve());
  });
  const admin = async (...args: readonly string[]): Promise<string> =>
    (
      await run('tgtadm', ['-C', control, '--lld', 'iscsi', ...args], {
        env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` },
      })
    ).stdout;
  const deadline = Date.now() + START_MS;
  for (;;) {
    try {
      await admin('--op', 'show', '--mode', 'target');
      break;
    } catch (error) {
      if (Date.now() > deadline || daemon.exitCode !== null) throw error;
      await sleep(50);
    }
  }
  await admin('--op', 'new', '--mode', 'account', '--user', ACCOUNT.user, '--password', ACCOUNT.secret);
  const addUnit = async (id: number, file: string): Promise<void> => {
    await admin('--op', 'new', '--mode', 'logicalunit', '--tid', String(id), '--lun', '1', '-b', file);
  };
  return {
    address: '127.0.0.1',
    port,
    folder,
    admin,
    addTarget: async ({ id, name, size, user }) => {
      const file = path.join(folder, `${id}.raw`);
      writeFileSync(file, '');
      truncateSync(file, size);
      await admin('--op', 'new', '--mode', 'target', '--tid', String(id), '-T', name);
      await addUnit(id, file);
      await admin('--op', 'bind', '--mode', 'target', '--tid', String(id), '-I', 'ALL');
      if (user !== undefined)
        await admin('--op', 'bind', '--mode', 'account', '--tid', String(id), '--user', user);
      return file;
    },
    grow: async (id, file, size) => {
      truncateSync(file, size);
      await admin(
        '--op',
        'delete',
        '--mode',
        'logicalunit',
        '--tid',
        String(id),
        '--lun',
        '1',
        '--force',
      ).catch(
        async () => await admin('--op', 'delete', '--mode', 'logicalunit', '--tid', String(id), '--lun', '1'),
      );
      await addUnit(id, file);
    },
    stop: async () => {
      daemon.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
