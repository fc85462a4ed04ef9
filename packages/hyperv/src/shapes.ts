/**
 * Shapes of calls that are believed to work on every host and have not been seen to: each stands before a known shape. A host
 * that refuses one, or takes it and does not do what it says, is not asked again. The list with reasons is docs/unproven.md.
 */
export type UnprovenShape =
  /** More than one resource in one call of AddResourceSettings or ModifyResourceSettings. */
  | 'add-several-resources'
  /** A differencing VHDX created with a size of its own. */
  | 'create-differencing-with-size'
  /** One query of CIM_SettingData for all settings of a machine. */
  | 'settings-by-base-class'
  /** One query of CIM_ConcreteJob for jobs of different classes. */
  | 'jobs-by-base-class'
  /** ResizeVirtualHardDisk of a differencing VHDX that a running machine has. */
  | 'resize-running-difference'
  /** GetSummaryInformation without SettingData, for all machines. */
  | 'summary-of-all';

/** Which shapes a host has refused; it lasts as long as the connection. */
export class ShapeMemory {
  readonly #refused = new Map<UnprovenShape, string>();
  readonly #onRefused: (shape: UnprovenShape, reason: string) => void;

  constructor(onRefused: (shape: UnprovenShape, reason: string) => void = () => undefined) {
    this.#onRefused = onRefused;
  }

  allows(shape: UnprovenShape): boolean {
    return !this.#refused.has(shape);
  }

  refuse(shape: UnprovenShape, reason: string): void {
    if (this.#refused.has(shape)) return;
    this.#refused.set(shape, reason);
    this.#onRefused(shape, reason);
  }

  refused(): ReadonlyMap<UnprovenShape, string> {
    return this.#refused;
  }
}
