import { EngineError } from '../engine.js';
import type { NicConfig } from '../engine.js';
import { nicBus, rootPortCount } from './argv.js';
import { netdevId, nicDevice, nicDeviceId, nicKey, nicNetdev } from './devices.js';
import { removeDevice } from './drive-plug.js';
import type { Machine } from './machine.js';
import { runUndoable } from './undo.js';

/** Adds a network adapter to a running generation 2 machine. @throws EngineError */
export async function attachNic(machine: Machine, nic: NicConfig): Promise<void> {
  const { qmp, config, nicSockets } = machine;
  if (config.generation === 1) {
    throw new EngineError(
      'UNSUPPORTED',
      'A generation 1 machine takes network adapters only while it is off.',
    );
  }
  if (nic.type === 'legacy')
    throw new EngineError('UNSUPPORTED', 'A generation 2 machine has no legacy network adapters.');
  if (config.nics.some((other) => other.id === nic.id))
    throw new EngineError('FAILED', `There is a network adapter ${nic.id} already.`);
  const socket = freeSocket(machine);
  const key = nicKey(nic.id);
  await runUndoable([
    {
      run: () => keepNics(machine, [...config.nics, nic], { ...nicSockets, [nic.id]: socket }),
      undo: () => keepNics(machine, config.nics, nicSockets),
    },
    {
      run: () => qmp.execute('netdev_add', nicNetdev(nic, machine.paths.runFolder)),
      undo: () => qmp.execute('netdev_del', { id: netdevId(key) }),
    },
    {
      run: () => qmp.execute('device_add', nicDevice(nic, nicBus(config, socket), undefined)),
      undo: () => removeDevice(machine, nicDeviceId(key)),
    },
    { run: () => machine.connectNic(nic), undo: () => Promise.resolve(machine.removeCable(nic.id)) },
  ]);
}

/** Takes a network adapter out; the guest must let it go, which one that has not booted yet does not. */
export async function detachNic(machine: Machine, nicId: string): Promise<void> {
  const nic = machine.nic(nicId);
  if (machine.config.generation === 1) {
    throw new EngineError(
      'UNSUPPORTED',
      'A generation 1 machine gives network adapters back only while it is off.',
    );
  }
  const key = nicKey(nic.id);
  await removeDevice(machine, nicDeviceId(key));
  machine.removeCable(nicId);
  await machine.qmp.execute('netdev_del', { id: netdevId(key) });
  const { [nicId]: _, ...sockets } = machine.nicSockets;
  await keepNics(
    machine,
    machine.config.nics.filter((other) => other.id !== nicId),
    sockets,
  );
}

/** Plugs an adapter's cable into a switch, or (null) out. */
export async function connectNic(
  machine: Machine,
  nicId: string,
  switchId: string | null,
  { macSpoofing = false }: { readonly macSpoofing?: boolean } = {},
): Promise<void> {
  const { switchId: _, ...nic } = { ...machine.nic(nicId), macSpoofing };
  const moved: NicConfig = switchId === null ? nic : { ...nic, switchId };
  machine.cable(nicId)?.guard(macSpoofing ? null : nic.mac);
  machine.cable(nicId)?.plug(switchId);
  await machine.qmp.execute('set_link', { name: nicDeviceId(nicKey(nicId)), up: switchId !== null });
  const nics = machine.config.nics.map((other) => (other.id === nicId ? moved : other));
  await keepNics(machine, nics, machine.nicSockets);
}

function freeSocket(machine: Machine): number {
  const taken = new Set(Object.values(machine.nicSockets));
  const count = rootPortCount(machine.config) - machine.config.scsiControllers.length;
  const free = Array.from({ length: count }, (_, socket) => socket).find((socket) => !taken.has(socket));
  if (free === undefined)
    throw new EngineError('UNSUPPORTED', `The machine takes ${count} network adapters at most.`);
  return free;
}

async function keepNics(
  machine: Machine,
  nics: readonly NicConfig[],
  sockets: Readonly<Record<string, number>>,
): Promise<void> {
  machine.config = { ...machine.config, nics };
  machine.nicSockets = sockets;
  await machine.save();
}
