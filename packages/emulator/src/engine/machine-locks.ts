/** Runs the tasks of one machine one after the other; those of different machines overlap. */
export class MachineLocks {
  readonly #tails = new Map<string, Promise<unknown>>();

  run<T>(machineId: string, task: () => Promise<T>): Promise<T> {
    const result = (this.#tails.get(machineId) ?? Promise.resolve()).then(task, task);
    const tail = result
      .catch(() => undefined)
      .finally(() => {
        if (this.#tails.get(machineId) === tail) this.#tails.delete(machineId);
      });
    this.#tails.set(machineId, tail);
    return result;
  }
}

/** At most `limit` tasks at a time; the others wait in the order in which they came. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#free = limit;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

const MACHINE_ID = /^[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}$/;

/** Whether it is a machine's id, and so safe in a path. */
export function isMachineId(text: string): boolean {
  return MACHINE_ID.test(text);
}
