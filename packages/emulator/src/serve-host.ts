import { mkdirSync } from 'node:fs';
import { totalmem } from 'node:os';
import path from 'node:path';
import { basicServerAuth, createWsmanServer, loadSchema } from '@nova-hyperv/wsman';
import type { Logger } from 'pino';
import { systemClock } from './clock.js';
import type { Clock } from './clock.js';
import { createCore } from './core.js';
import type { HostCore } from './core.js';
import type { Engine } from './engine/engine.js';
import type { SwitchFabric } from './engine/virtual-switch.js';
import { EmulatorError } from './errors.js';
import { lockFolder } from './folder-lock.js';
import type { JobPace } from './jobs.js';
import { shutDownGuests, startUp } from './lifecycle.js';
import { evenTopology } from './numa/topology.js';
import { parentResolver } from './machines/parent-resolver.js';
import type { EmulatedHost, EmulatedHostOptions } from './options.js';
import { DrivePaths } from './paths.js';
import { checkFibreChannel } from './storage/fibre-channel.js';
import { HostStorage } from './storage/host-storage.js';
import { FileServers } from './smb/file-servers.js';
import { plugUplink } from './uplink.js';
import { StateFiles } from './state-files.js';
import { RELEASES } from './releases.js';
import { REFUSALS } from './refusals.js';

/** What an engine is made from. */
export interface EngineSurroundings {
  /** Folder for what the engine keeps of the machines. */
  readonly stateDir: string;
  /**
   * This machine's path of a Windows path on the host, or of one from the folder of `childPath` (this machine's);
   * undefined when there is no such file.
   */
  readonly resolvePath: (windowsPath: string, childPath: string) => string | undefined;
  readonly log: Logger;
}

/** An engine, and the folder in which it opens pipes. */
export type HostEngine = Engine & { readonly pipes: string; readonly fabric?: SwitchFabric };

/** {@link EmulatedHostOptions}, and what tests put in place of the real parts. */
export interface ServeOptions extends EmulatedHostOptions {
  readonly createEngine: (surroundings: EngineSurroundings) => Promise<HostEngine>;
  readonly clock?: Clock;
  /** Default: each state of a job lasts a millisecond or more. */
  readonly pace?: JobPace;
  /** Milliseconds that guests get when the host is shut down. */
  readonly shutdownMs?: number;
}

export interface ServedHost extends EmulatedHost {
  readonly core: HostCore;
}

const NAME = /^[A-Za-z\d](?:[A-Za-z\d-]{0,13}[A-Za-z\d])?$/;
const DEFAULT_PROCESSORS = 8;
const LEAST_MEMORY_MB = 64;
const MOST_PCI_DEVICES = 16;

/** {@link startEmulatedHost} with the engine, the clock and the jobs' pace as the caller wants them. */
export async function serveHost(options: ServeOptions): Promise<ServedHost> {
  checkOptions(options);
  mkdirSync(options.stateDir, { recursive: true, mode: 0o700 });
  const unlock = lockFolder(options.stateDir);
  const owned: (() => Promise<void>)[] = [() => Promise.resolve(unlock())];
  try {
    return await serve(options, owned);
  } catch (error) {
    await release(owned);
    throw error;
  }
}

async function serve(options: ServeOptions, owned: (() => Promise<void>)[]): Promise<ServedHost> {
  const clock = options.clock ?? systemClock;
  const servers = new FileServers(options.shares ?? [], new StateFiles(options.stateDir));
  const paths = new DrivePaths(path.join(options.stateDir, 'C'), servers);
  const storage = new HostStorage({
    hostName: options.name,
    files: new StateFiles(options.stateDir),
    multipath: options.multipath ?? true,
    fibreChannel: options.fibreChannel,
    log: options.log,
  });
  const engine = await options.createEngine({
    stateDir: path.join(options.stateDir, 'engine'),
    resolvePath: parentResolver(paths),
    log: options.log,
  });
  let guests: 'keep' | 'turn-off' = 'keep';
  owned.unshift(() => engine.close(guests));
  const processors = options.processors ?? DEFAULT_PROCESSORS;
  const memoryMb = options.memoryMb ?? Math.floor(totalmem() / 1024 / 1024);
  const { numaNodes: nodes = 1, numaSpanning: spanning = true } = options;
  const core = await createCore({
    ...options,
    servers,
    storage,
    paths,
    processors,
    memoryMb,
    numa: evenTopology({ nodes, processors, memoryMb, spanning }),
    schema: loadSchema(),
    engine,
    clock,
    pace: options.pace ?? (() => clock.sleep(1)),
  });
  owned.unshift(() => core.context.jobs.close());
  const server = createWsmanServer({
    provider: core.provider,
    auth: basicServerAuth([{ user: options.credentials.username, password: options.credentials.password }]),
    machine: options.name,
    log: ({ level, message, ...rest }) => options.log[level](rest, message),
  });
  owned.unshift(() => server.close());
  const { url } = await server.listen(options.listen?.port ?? 0, options.listen?.address ?? '127.0.0.1');
  const wasRunning = core.context.machines.all().filter((machine) => machine.wasRunning);
  startUp(core.context, new Set(wasRunning.map((machine) => machine.id)));
  options.log.info({ host: options.name, release: options.release, url }, 'the emulated host is ready');
  let stopped: Promise<void> | undefined;
  return {
    core,
    name: options.name,
    url,
    credentials: options.credentials,
    driveC: core.paths.root,
    pipes: engine.pipes,
    plugUplink: (name, receive) => plugUplink(core.switches, engine.fabric, name, receive),
    stop: (what) => {
      stopped ??= (async () => {
        if (what === 'shut-down') {
          await core.context.jobs.close();
          await shutDownGuests(core.context, options.shutdownMs);
          servers.shutDown();
          storage.shutDown();
          guests = 'turn-off';
        }
        await release(owned);
      })();
      return stopped;
    },
  };
}

/** Frees everything, the newest first; the first error is thrown when all is done. */
async function release(owned: readonly (() => Promise<void>)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const free of owned) {
    try {
      await free();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}

function checkOptions(options: EmulatedHostOptions): void {
  if (!NAME.test(options.name))
    throw wrongOption(`'${options.name}' is no computer name: 1 to 15 letters, digits and hyphens.`);
  const { processors = DEFAULT_PROCESSORS, memoryMb = LEAST_MEMORY_MB, numaNodes = 1 } = options;
  if (!Number.isSafeInteger(processors) || processors < 1 || processors > 2048)
    throw wrongOption(`A host has 1 to 2048 logical processors, not ${processors}.`);
  if (!Number.isSafeInteger(memoryMb) || memoryMb < LEAST_MEMORY_MB)
    throw wrongOption(`A host has ${LEAST_MEMORY_MB} MB of memory at least, not ${memoryMb}.`);
  if (!Number.isSafeInteger(numaNodes) || numaNodes < 1 || numaNodes > Math.min(64, processors))
    throw wrongOption(
      `A host of ${processors} logical processors has 1 to ${Math.min(64, processors)} NUMA nodes, not ${numaNodes}.`,
    );
  if (options.credentials.password === '') throw wrongOption('A password is needed.');
  if (options.guarded === true && !RELEASES[options.release].isTen)
    throw wrongOption('A guarded host needs Windows Server 2016 or later.');
  const { pciDevices = [], remoteFx = 'absent', release: windows } = options;
  if (pciDevices.length > 0 && !RELEASES[windows].isTen)
    throw wrongOption(
      `A host of release ${windows} cannot give PCI devices to machines: 2016 and later can.`,
    );
  if (pciDevices.length > MOST_PCI_DEVICES)
    throw wrongOption(`A host has at most ${MOST_PCI_DEVICES} PCI devices.`);
  if (remoteFx !== 'absent' && !RELEASES[windows].hasRemoteFx)
    throw wrongOption(`Windows Server ${windows} never had RemoteFX: 2012R2, 2016 and 2019 had.`);
  checkFibreChannel(options.fibreChannel);
  for (const shape of options.refuse ?? []) {
    if (!(shape in REFUSALS))
      throw wrongOption(
        `There is no call shape '${shape}' to refuse; there are: ${Object.keys(REFUSALS).join(', ')}.`,
      );
  }
}

function wrongOption(why: string): EmulatorError {
  return new EmulatorError('EMULATOR_OPTION', why);
}
