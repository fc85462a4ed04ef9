/**
 * Runs steps in order. When one fails, those before it are undone, newest first, and the failure is thrown; what
 * fails while undoing is passed over, for the first failure tells more.
 */
export async function runUndoable(steps: readonly UndoableStep[]): Promise<void> {
  const done: UndoableStep[] = [];
  try {
    for (const step of steps) {
      await step.run();
      done.unshift(step);
    }
  } catch (error) {
    for (const step of done) await step.undo().catch(() => undefined);
    throw error;
  }
}

export interface UndoableStep {
  run(): Promise<unknown>;
  undo(): Promise<unknown>;
}
