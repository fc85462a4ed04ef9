import { DriverError } from '../errors.js';
import type { Bus, ControllerSpec, Generation } from './vm-spec.js';

/** Slots of one controller. Source: Hyper-V's virtual IDE and SCSI controllers. */
const SLOTS: Readonly<Record<Bus, number>> = { ide: 2, scsi: 64 };

export interface Slot {
  readonly bus: Bus;
  readonly controller: number;
  readonly slot: number;
}

/** The controllers that this driver gives a machine. */
export function controllersOf(generation: Generation): readonly ControllerSpec[] {
  const scsi: ControllerSpec = { bus: 'scsi', number: 0 };
  return generation === 2 ? [scsi] : [{ bus: 'ide', number: 0 }, { bus: 'ide', number: 1 }, scsi];
}

/** Generation 1 boots from IDE only and has its local disks there; generation 2 has no IDE. */
export function localDiskBus(generation: Generation): Bus {
  return generation === 2 ? 'scsi' : 'ide';
}

/** Hands out a machine's slots, first free first. */
export class SlotAllocator {
  readonly #controllers: readonly ControllerSpec[];
  readonly #taken = new Set<string>();

  constructor(controllers: readonly ControllerSpec[]) {
    this.#controllers = controllers;
  }

  /** A slot that a device has already. */
  occupy({ bus, controller, slot }: Slot): void {
    this.#taken.add(`${bus}:${controller}:${slot}`);
  }

  take(bus: Bus): Slot {
    const ofBus = this.#controllers.filter((controller) => controller.bus === bus);
    for (const { number: controller } of ofBus) {
      for (let slot = 0; slot < SLOTS[bus]; slot += 1) {
        if (this.#taken.has(`${bus}:${controller}:${slot}`)) continue;
        const free = { bus, controller, slot };
        this.occupy(free);
        return free;
      }
    }
    throw new DriverError(
      'InvalidBDMFormat',
      `The machine has no free ${bus.toUpperCase()} slot: ${ofBus.length * SLOTS[bus]} are there and all are taken. Ask for fewer disks.`,
    );
  }
}
