import { numberOf } from './cim.js';
import { STATE, generationOf } from './machines/model.js';
import type { Machine } from './machines/model.js';
import { startTransition } from './services/power.js';
import type { ServiceContext } from './services/context.js';

/** Values of AutomaticStartupAction and AutomaticShutdownAction. Source: HyperV_v2, Msvm_VirtualSystemSettingData. */
const STARTUP = { none: 2, ifWasRunning: 3, always: 4 } as const;
const SHUTDOWN = { turnOff: 2, save: 3, shutDown: 4 } as const;

/** Guests get that long to shut down before the plug is pulled. */
const SHUTDOWN_MILLISECONDS = 60_000;
const POLL_MILLISECONDS = 200;

/** What Windows does with the machines when it has started. `wasRunning`: ids of those that ran when it went down. */
export function startUp(context: ServiceContext, wasRunning: ReadonlySet<string>): void {
  for (const machine of context.machines.all()) {
    if (machine.enabledState !== STATE.off) continue;
    const action = numberOf(machine.settings.properties['AutomaticStartupAction'], STARTUP.none);
    const isWanted =
      action === STARTUP.always || (action === STARTUP.ifWasRunning && wasRunning.has(machine.id));
    if (isWanted) startTransition(context, machine, 'start');
    // Kept until now, so that a host killed before this point still knows.
    else if (machine.wasRunning) context.machines.setPower(machine.id, STATE.off, { wasRunning: false });
  }
}

/**
 * What Windows does with running guests when it shuts down: turns off or shuts down as each machine's
 * AutomaticShutdownAction says. Saving the state is not possible here: such a guest is shut down. A guest that
 * does not listen is turned off when its time is over.
 */
export async function shutDownGuests(
  context: ServiceContext,
  deadlineMs = SHUTDOWN_MILLISECONDS,
): Promise<void> {
  const running = context.machines.all().filter((machine) => context.machines.isRunning(machine.id));
  await Promise.all(running.map((machine) => shutDown(context, machine, deadlineMs)));
}

async function shutDown(context: ServiceContext, machine: Machine, deadlineMs: number): Promise<void> {
  const action = numberOf(machine.settings.properties['AutomaticShutdownAction'], SHUTDOWN.save);
  try {
    if (action !== SHUTDOWN.turnOff && machine.enabledState === STATE.running) {
      await context.engine.requestShutdown(machine.id);
      const deadline = context.host.clock.now().getTime() + deadlineMs;
      while (context.engine.isRunning(machine.id) && context.host.clock.now().getTime() < deadline) {
        await context.host.clock.sleep(POLL_MILLISECONDS);
      }
    }
    if (context.engine.isRunning(machine.id)) await context.engine.turnOff(machine.id);
  } catch (error) {
    context.log.warn(
      { machine: machine.id, generation: generationOf(machine), error },
      'a guest could not be shut down',
    );
  }
  await context.machines.keepForRestart(machine.id);
}
