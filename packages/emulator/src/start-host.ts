import { createNoneEngine, createQemuEngine } from './engine/index.js';
import type { EmulatedHost, EmulatedHostOptions } from './options.js';
import { serveHost } from './serve-host.js';

/**
 * Starts a Hyper-V host of a Windows release in this process, served by WS-Management at `/wsman` of the address
 * that {@link EmulatedHost.url} tells. Its state is in `stateDir` and survives the process, killed or not.
 * {@link EmulatedHostOptions.refuse} takes the names of {@link REFUSALS}.
 *
 * @throws EmulatorError `EMULATOR_OPTION` for an option that cannot be; `EMULATOR_STATE` when the folder is damaged
 *   or in use by another host. What the engine throws when QEMU is not there.
 */
export async function startEmulatedHost(options: EmulatedHostOptions): Promise<EmulatedHost> {
  const create = options.engine === 'qemu' ? createQemuEngine : createNoneEngine;
  const { core: _core, ...host } = await serveHost({ ...options, createEngine: create });
  return host;
}
