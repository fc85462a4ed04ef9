import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { HyperVHost } from '@nova-hyperv/hyperv';
import { CliError, EXIT } from '../errors.js';
import { loadSettings, readRunning, stateFolder } from '../up/state-folder.js';

/** Options that say which hosts a command asks. */
export interface HostFlags {
  readonly state: string;
  readonly host?: string;
  readonly username: string;
}

/** Where a host is and how to log in there. */
export interface Access {
  readonly url: string;
  readonly username: string;
  readonly password: string;
}

export function addHostOptions(command: Command): Command {
  return command
    .option('--state <dir>', 'state folder whose hosts are asked', 'state')
    .option(
      '--host <name or url>',
      'one host of the state folder, or the WS-Man address of any: https://hv1:5986/wsman',
    )
    .option('--username <name>', 'account on a host that is named by its address', 'Administrator')
    .addHelpText(
      'after',
      '\nThe password for a host that is named by its address is taken from HYPERV_PASSWORD.',
    );
}

/** A connection that reads only: no drive and no pipe of the host is reached. Close it when done. */
export async function connect({ url, username, password }: Access): Promise<HyperVHost> {
  // Loaded when it is needed: see commands/up.ts.
  const { connectHost, mappedReach } = await import('@nova-hyperv/hyperv');
  return connectHost({ url, credentials: { username, password }, reach: mappedReach({ drives: {} }) });
}

/** The hosts that the options name. @throws CliError */
export async function accesses(flags: HostFlags): Promise<readonly Access[]> {
  if (flags.host?.includes('://') === true) {
    const password = process.env['HYPERV_PASSWORD'];
    if (password === undefined)
      throw new CliError('set HYPERV_PASSWORD to the password of the account on the host', EXIT.usage);
    return [{ url: flags.host, username: flags.username, password }];
  }
  const state = stateFolder(resolve(flags.state));
  const [running, settings] = await Promise.all([readRunning(state), loadSettings(state)]);
  if (running?.hosts === undefined)
    throw new CliError(`nothing runs the state folder ${state.root}: start it, or name a host by --host URL`);
  const all = running.hosts.map(({ name, url }) => ({
    name,
    url,
    username: 'Administrator',
    password: settings?.hosts.find((host) => host.name === name)?.password ?? '',
  }));
  const wanted = flags.host?.toLowerCase();
  const chosen = all.filter(({ name }) => wanted === undefined || name.toLowerCase() === wanted);
  if (chosen.length > 0) return chosen;
  throw new CliError(
    `there is no host ${flags.host} in ${state.root}; there are: ${all.map(({ name }) => name).join(', ')}`,
    EXIT.usage,
  );
}
