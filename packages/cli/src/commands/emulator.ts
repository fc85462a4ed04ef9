import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import type { PciDeviceOption, ShareOption } from '@nova-hyperv/emulator';
import { CliError, EXIT } from '../errors.js';
import { createLogger } from '../logging.js';
import { parseHost, parsePciDevice, RELEASES } from '../up/hosts.js';
import { claimFolder, generatePassword, stateFolder } from '../up/state-folder.js';

interface EmulatorFlags {
  readonly state: string;
  readonly name: string;
  readonly release: string;
  readonly engine: 'qemu' | 'none';
  readonly listen: string;
  readonly port: string;
  readonly username: string;
  readonly refuse: readonly string[];
  readonly validation: 'job' | 'direct';
  readonly numaNodes?: string;
  readonly memory?: string;
  readonly numaSpanning: boolean;
  readonly cluster?: string;
  readonly guarded?: boolean;
  readonly pciDevice: readonly PciDeviceOption[];
  readonly remotefx?: 'present' | 'removed';
  readonly shares?: string;
  readonly debug?: boolean;
}

export function addEmulatorCommand(program: Command): void {
  program
    .command('emulator')
    .description('serve one emulated Hyper-V host at /wsman, for anything that manages Hyper-V through WMI')
    .option('--state <dir>', 'folder that holds everything of this host', 'host-state')
    .option('--name <name>', 'computer name', 'hyperv1')
    .addOption(
      new Option('--release <release>', 'Windows Server release').choices([...RELEASES]).default('2022'),
    )
    .addOption(
      new Option('--engine <engine>', 'qemu: machines boot; none: power states only')
        .choices(['qemu', 'none'])
        .default('qemu'),
    )
    .option('--listen <address>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on', '5985')
    .option('--username <name>', 'account that clients log in with', 'Administrator')
    .option(
      '--refuse <shape>',
      'call shape to refuse, repeatable (docs/unproven.md)',
      (value: string, all: string[]) => [...all, value],
      [],
    )
    .option(
      '--pci-device <model>',
      'physical PCI device that machines may have, repeatable; MODEL:mounted for one that the host has not given up',
      (value: string, all: PciDeviceOption[]) => [...all, parsePciDevice(value)],
      [],
    )
    .addOption(
      new Option(
        '--remotefx [state]',
        'a graphics processor for RemoteFX; removed: as after the update that removes it',
      )
        .choices(['present', 'removed'])
        .preset('present'),
    )
    .addOption(
      new Option('--validation <how>', 'how deep refusals are told')
        .choices(['job', 'direct'])
        .default('job'),
    )
    .option('--memory <size>', "memory of the host, as 32G or 4096M (default: this machine's own)")
    .option('--numa-nodes <count>', 'NUMA nodes among which processors and memory are divided (default: 1)')
    .option('--no-numa-spanning', 'no machine may have memory of several NUMA nodes')
    .option('--cluster <name>', 'the host is a node of this failover cluster')
    .option('--guarded', 'the host may run shielded machines (2016 and later)')
    .option(
      '--shares <file>',
      String.raw`JSON file with the shares that the host reaches: [{"remotePath": "\\\\server\\share", "folder", "username", "password"}]`,
    )
    .option('--debug', 'write debug lines')
    .addHelpText(
      'after',
      '\nThe password is taken from EMULATOR_PASSWORD; without it one is generated and printed.',
    )
    .action(serve);
}

async function serve(flags: EmulatorFlags): Promise<void> {
  const hardware = [
    ...(flags.numaNodes === undefined ? [] : [`numa=${flags.numaNodes}`]),
    ...(flags.memory === undefined ? [] : [`memory=${flags.memory}`]),
    ...(flags.numaSpanning ? [] : ['spanning=off']),
  ];
  const spec = parseHost([`${flags.name}:${flags.release}`, ...hardware].join(','));
  const port = Number(flags.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw new CliError(`--port ${flags.port}: not a port`, EXIT.usage);
  const state = stateFolder(resolve(flags.state));
  const claim = await claimFolder(state);
  try {
    await mkdir(state.root, { recursive: true, mode: 0o700 });
    const given = process.env['EMULATOR_PASSWORD'];
    const password = given ?? generatePassword();
    // Loaded when it is needed: see commands/up.ts.
    const { startEmulatedHost } = await import('@nova-hyperv/emulator');
    const host = await startEmulatedHost({
      ...spec,
      ...(flags.cluster === undefined ? {} : { cluster: flags.cluster }),
      stateDir: state.root,
      engine: flags.engine,
      listen: { address: flags.listen, port },
      credentials: { username: flags.username, password },
      refuse: flags.refuse,
      validation: flags.validation,
      guarded: flags.guarded === true,
      pciDevices: flags.pciDevice,
      ...(flags.shares === undefined ? {} : { shares: readShares(flags.shares) }),
      ...(flags.remotefx === undefined ? {} : { remoteFx: flags.remotefx }),
      log: createLogger('stderr', flags.debug === true),
    });
    await claim.ready({ url: host.url, hosts: [{ name: host.name, url: host.url, pipes: host.pipes }] });
    console.log(`${host.name} (Windows Server ${spec.release}, emulated) answers at ${host.url}`);
    console.log(`account ${flags.username}${given === undefined ? `, password ${password}` : ''}`);
    console.log(`drive C: is ${host.driveC}; pipes are sockets in ${host.pipes}`);
    await new Promise<void>((wanted) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => wanted());
    });
    await host.stop('shut-down');
  } finally {
    await claim.release();
  }
}

/** Passwords come by a file, never by arguments, which everybody on this machine can see. */
function readShares(file: string): readonly ShareOption[] {
  const wrong = (why: string, cause?: unknown): CliError =>
    new CliError(`--shares ${file}: ${why}`, EXIT.usage, { cause });
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw wrong('it cannot be read as JSON', error);
  }
  if (!Array.isArray(content) || !content.every(isShare))
    throw wrong('a list of objects with remotePath and folder, and with username and password or neither');
  return content;
}

function isShare(entry: unknown): entry is ShareOption {
  if (typeof entry !== 'object' || entry === null) return false;
  const values = new Map<string, unknown>(Object.entries(entry));
  const isText = (key: string): boolean => typeof values.get(key) === 'string';
  return (
    isText('remotePath') &&
    isText('folder') &&
    ['username', 'password'].every((key) => !values.has(key) || isText(key))
  );
}
