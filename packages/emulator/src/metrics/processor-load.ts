import type { Machine } from '../machines/model.js';
import type { ServiceContext } from '../services/context.js';
import { statsOf } from './elements.js';

/** Percent of its virtual processors that a machine has used since it was last asked, or since its start. */
export class ProcessorLoads {
  readonly #context: ServiceContext;
  readonly #last = new Map<
    string,
    { readonly startedAt: string; readonly atMs: number; readonly usedMs: number }
  >();

  constructor(context: ServiceContext) {
    this.#context = context;
  }

  /** 0 to 100; 0 while the machine is off. */
  async of(machine: Machine, processors: number): Promise<number> {
    const stats = await statsOf(this.#context, machine);
    const { startedAt } = machine;
    if (stats === undefined || startedAt === null) {
      this.#last.delete(machine.id);
      return 0;
    }
    const before = this.#last.get(machine.id);
    const from = before?.startedAt === startedAt ? before : { atMs: Date.parse(startedAt), usedMs: 0 };
    const atMs = this.#context.host.clock.now().getTime();
    this.#last.set(machine.id, { startedAt, atMs, usedMs: stats.processorMs });
    const available = (atMs - from.atMs) * Math.max(1, processors);
    if (available <= 0) return 0;
    return Math.min(100, Math.round((100 * (stats.processorMs - from.usedMs)) / available));
  }
}
