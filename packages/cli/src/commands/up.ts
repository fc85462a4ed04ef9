import { resolve } from 'node:path';
import type { Command } from 'commander';
import { CliError, EXIT } from '../errors.js';
import { createLogger } from '../logging.js';
import { startDetached } from '../up/detach.js';
import { greeting } from '../up/greeting.js';
import { parseHost, type HostSpec } from '../up/hosts.js';
import { claimFolder, loadSettings, stateFolder } from '../up/state-folder.js';

interface UpFlags {
  readonly state: string;
  readonly host: readonly HostSpec[];
  readonly engine: string;
  readonly listen: string;
  readonly port: string;
  readonly configFile: readonly string[];
  readonly detach?: boolean;
  readonly debug?: boolean;
}

export function addUpCommand(program: Command): void {
  program
    .command('up')
    .description('run OpenStack and emulated Hyper-V hosts on this machine')
    .option('--state <dir>', 'folder that holds everything of this cloud', 'state')
    .option(
      '--host <name:release>',
      'an emulated host, repeatable; its hardware after commas: hyperv1:2022,numa=2,memory=32G,spanning=off,pci=edu,remotefx',
      (value: string, all: HostSpec[]) => [...all, parseHost(value)],
      [],
    )
    .option('--engine <engine>', 'qemu: machines boot; none: power states only', 'qemu')
    .option('--listen <address>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on', '8780')
    .option(
      '--config-file <path>',
      'nova.conf to read, repeatable: the last value of an option counts',
      (value: string, all: string[]) => [...all, value],
      [],
    )
    .option('--detach', 'return when it is ready, and leave it running')
    .option('--debug', 'write debug lines to the log')
    .action(up);
}

async function up(flags: UpFlags): Promise<void> {
  const port = Number(flags.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw new CliError(`--port ${flags.port}: not a port`, EXIT.usage);
  const { engine } = flags;
  if (engine !== 'qemu' && engine !== 'none')
    throw new CliError(`--engine ${engine}: expected qemu or none`, EXIT.usage);
  const { NovaConf } = await import('@nova-hyperv/compute');
  const conf = NovaConf.read(flags.configFile.map((file) => resolve(file)));
  const state = stateFolder(resolve(flags.state));
  if (flags.detach === true) {
    const url = await startDetached(
      state,
      process.argv.slice(1).filter((argument) => argument !== '--detach'),
    );
    console.log(greeting(state, url, (await loadSettings(state))?.hosts ?? [], true));
    return;
  }
  const claim = await claimFolder(state);
  try {
    const log = createLogger({ file: state.log }, flags.debug === true);
    const stopRequested = new Promise<string>((wanted) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => wanted(signal));
    });
    const onProgress = (text: string): void => {
      log.info(text);
      console.error(text);
    };
    // Loaded when it is needed: the other commands start in a tenth of the time.
    const { runCloud } = await import('../up/run-cloud.js');
    const cloud = await runCloud({
      state,
      hosts: flags.host,
      engine,
      address: flags.listen,
      port,
      conf,
      log,
      onProgress,
    });
    await claim.ready({
      url: cloud.url,
      hosts: cloud.hosts.map(({ name, url: wsman, pipes }) => ({ name, url: wsman, pipes })),
    });
    log.info(`ready at ${cloud.url}`);
    console.log(greeting(state, cloud.url, cloud.hosts, false));
    const signal = await stopRequested;
    onProgress(`${signal}: stopping`);
    await cloud.stop();
    log.info('stopped');
  } finally {
    await claim.release();
  }
}
