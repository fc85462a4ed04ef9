import { sleep, STATE } from '@nova-hyperv/hyperv';
import type { MachineHandle } from '@nova-hyperv/hyperv';
import type { DriverContext } from './context.js';
import { instanceNotFound, findMachine, requireMachine } from './lookup.js';
import { collectAgain } from './metrics.js';
import { explainStartFailure } from './start-failure.js';
import type { InstanceRef, PowerOffOptions, WithVolumes } from './types.js';
import { prepareVolumes } from './volumes/prepare.js';

const DEFAULT_RETRY_SECONDS = 10;
const STATE_POLL_MS = 500;
const SHUTDOWN_REASON = 'OpenStack asked for the shut-down';

export async function powerOn(
  context: DriverContext,
  instance: InstanceRef,
  attached: WithVolumes = {},
): Promise<void> {
  const machine = await requireMachine(context.host, instance);
  await start(context, instance, machine, attached);
  context.log.info({ instance: instance.uuid }, 'Powered on');
}

/** The logger goes first: the guest's first lines come at once. */
export async function start(
  context: DriverContext,
  instance: InstanceRef,
  machine: MachineHandle,
  { volumes }: WithVolumes = {},
): Promise<void> {
  await prepareVolumes(context, instance, machine, volumes);
  context.consoles.start(instance);
  try {
    await context.host.power.request(machine, STATE.running);
  } catch (error) {
    await context.consoles.stop(instance.uuid);
    throw await explainStartFailure(context.host, machine, error);
  }
  await collectAgain(context, instance, machine);
}

export async function powerOff(
  context: DriverContext,
  instance: InstanceRef,
  options: PowerOffOptions,
): Promise<void> {
  const { host, consoles, log } = context;
  const machine = await findMachine(host, instance);
  if (machine === undefined) {
    log.warn({ instance: instance.uuid }, 'There is no machine to power off on this host');
    return;
  }
  const retrySeconds = options.retryIntervalSeconds ?? DEFAULT_RETRY_SECONDS;
  const shutDown =
    options.timeoutSeconds > 0 &&
    (await shutDownGuest(context, machine, options.timeoutSeconds, retrySeconds));
  if (!shutDown) {
    const state = await host.power.state(machine);
    if (state !== undefined && state !== STATE.off) await host.power.request(machine, STATE.off);
  }
  await consoles.finish(instance.uuid);
  const how = shutDown ? 'the guest shut down' : 'turned off without the guest';
  log.info({ instance: instance.uuid }, `Powered off: ${how}`);
}

/** True when the machine is off within the time. A guest that was not ready to listen is asked again. */
async function shutDownGuest(
  { host }: DriverContext,
  machine: MachineHandle,
  timeoutSeconds: number,
  retrySeconds: number,
): Promise<boolean> {
  const deadline = Date.now() + timeoutSeconds * 1000;
  let askAgainAt = 0;
  let accepted = false;
  for (;;) {
    if (!accepted && Date.now() >= askAgainAt) {
      const answer = await host.power.requestShutdown(machine, SHUTDOWN_REASON);
      accepted = answer === 'accepted';
      askAgainAt = Date.now() + retrySeconds * 1000;
      // No shut-down service: the machine is off, or nothing in it will ever listen.
      if (answer === 'not-running') return (await host.power.state(machine)) === STATE.off;
    }
    const state = await host.power.state(machine);
    if (state === STATE.off || state === undefined) return true;
    // Nothing runs in it that could listen.
    if (state === STATE.paused || state === STATE.saved) return false;
    const left = deadline - Date.now();
    if (left <= 0) return false;
    await sleep(Math.min(STATE_POLL_MS, left));
  }
}

export async function reboot(
  context: DriverContext,
  instance: InstanceRef,
  type: 'SOFT' | 'HARD',
  attached: WithVolumes = {},
): Promise<void> {
  const { host, config, consoles, log } = context;
  const machine = await requireMachine(host, instance);
  const state = await host.power.state(machine);
  if (state === undefined) throw instanceNotFound(instance);
  if (type === 'SOFT' && state === STATE.running) {
    if (await shutDownGuest(context, machine, config.waitSoftRebootSeconds, DEFAULT_RETRY_SECONDS)) {
      await consoles.finish(instance.uuid);
      await start(context, instance, machine, attached);
      log.info({ instance: instance.uuid }, 'Rebooted: the guest shut down and was started again');
      return;
    }
    log.warn(
      { instance: instance.uuid },
      `The guest did not shut down within ${config.waitSoftRebootSeconds} seconds and is reset. Check its integration services, or raise wait_soft_reboot_seconds`,
    );
  }
  const now = await host.power.state(machine);
  if (now === STATE.running || now === STATE.paused) {
    consoles.start(instance);
    await host.power.request(machine, STATE.reset);
    log.info({ instance: instance.uuid }, 'Rebooted: the machine was reset');
    return;
  }
  // Saved memory is what a hard reboot is to get rid of.
  if (now === STATE.saved) await host.power.request(machine, STATE.off);
  await start(context, instance, machine, attached);
  log.info({ instance: instance.uuid }, 'Rebooted: the machine was started');
}
