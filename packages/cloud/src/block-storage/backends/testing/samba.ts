import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SmbShare } from '../smb-backend.js';
import { runTool } from './run-tool.js';

/** A port of this machine that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Waits until something takes connections. */
export async function listens(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return;
    } catch {
      await sleep(50);
    } finally {
      socket.destroy();
    }
  }
  throw new Error(`nothing listens on port ${port}`);
}

export interface Samba extends AsyncDisposable {
  /** Runs commands of smbclient in the share, as `username`. */
  client(username: string, password: string, commands: string): Promise<string>;
}

/** Debian's Samba, with everything that it keeps in `folder`, serving one share to its one user. */
export async function startSamba(folder: string, share: SmbShare): Promise<Samba> {
  const port = await freePort();
  const conf = join(folder, 'smb.conf');
  const keeps = ['private dir', 'lock directory', 'state directory', 'cache directory', 'pid directory'];
  for (const name of keeps) await mkdir(join(folder, name));
  await mkdir(join(folder, 'ncalrpc'));
  const me = userInfo().username;
  // The share's user stands for whoever runs the volume service: what he writes is that one's.
  await writeFile(join(folder, 'users'), `!${me} = ${share.username}\n`);
  await writeFile(
    conf,
    [
      '[global]',
      ...keeps.map((name) => `${name} = ${join(folder, name)}`),
      `ncalrpc dir = ${join(folder, 'ncalrpc')}`,
      `passdb backend = tdbsam:${join(folder, 'private dir', 'passdb.tdb')}`,
      `username map = ${join(folder, 'users')}`,
      `log file = ${join(folder, 'log')}`,
      `smb ports = ${port}`,
      'interfaces = 127.0.0.1/8',
      'bind interfaces only = yes',
      'disable netbios = yes',
      'load printers = no',
      'map to guest = never',
      `[${share.share}]`,
      `path = ${share.folder}`,
      'read only = no',
      '',
    ].join('\n'),
  );
  await runTool('smbpasswd', ['-c', conf, '-s', '-a', me], { input: `${share.password}\n`.repeat(2) });
  // It makes a session of its own, and ends the whole of that with itself.
  const smbd = spawn('smbd', ['--foreground', '-s', conf], { stdio: 'ignore' });
  await listens(port);
  return {
    client: async (username, password, commands) => {
      const credentials = join(folder, 'credentials');
      await writeFile(credentials, `username = ${username}\npassword = ${password}\n`, { mode: 0o600 });
      const service = `//127.0.0.1/${share.share}`;
      return runTool('smbclient', [service, '-p', `${port}`, '-A', credentials, '-s', conf, '-c', commands]);
    },
    [Symbol.asyncDispose]: async () => {
      const gone = once(smbd, 'exit');
      smbd.kill();
      await gone;
    },
  };
}
