import type { SwitchState } from './base/host-state.js';
import type { SwitchFabric, SwitchPort } from './engine/virtual-switch.js';
import { EmulatorError } from './errors.js';
import type { Uplink } from './options.js';

/** {@link EmulatedHost.plugUplink} of a host's switches. */
export function plugUplink(
  switches: readonly SwitchState[],
  fabric: SwitchFabric | undefined,
  switchName: string,
  receive: (frame: Buffer) => void,
): Uplink {
  const found = switches.find(({ name }) => name === switchName);
  if (found === undefined) {
    throw new EmulatorError(
      'EMULATOR_OPTION',
      `The host has no external switch ${switchName}; it has: ${switches.map(({ name }) => name).join(', ')}.`,
    );
  }
  if (fabric === undefined) return { send: () => undefined, unplug: () => undefined };
  const port: SwitchPort = { deliver: receive };
  const plugged = fabric.plug(found.id, port);
  return {
    send: (frame) => plugged.forward(port, frame),
    unplug: () => fabric.unplug(found.id, port),
  };
}
