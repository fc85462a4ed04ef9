import type { DriveConfig, Engine, MachineConfig, NicConfig } from '../engine/engine.js';
import { sameContent } from '../engine/engine.js';

/**
 * Brings a running guest from one configuration to another. Each step that was done is undone, newest first,
 * when a later one fails; the failure is thrown.
 */
export async function applyToGuest(
  engine: Engine,
  before: MachineConfig,
  after: MachineConfig,
): Promise<void> {
  const undo: (() => Promise<void>)[] = [];
  try {
    for (const step of steps(engine, before, after)) {
      await step.apply();
      undo.unshift(step.undo);
    }
  } catch (error) {
    for (const back of undo) await back().catch(() => undefined);
    throw error;
  }
}

interface Step {
  readonly apply: () => Promise<void>;
  readonly undo: () => Promise<void>;
}

function* steps(engine: Engine, before: MachineConfig, after: MachineConfig): Iterable<Step> {
  const id = after.id;
  const drives = pairs(before.drives, after.drives);
  const nics = pairs(before.nics, after.nics);
  for (const { was, is } of drives) {
    if (was !== undefined && is === undefined) {
      yield { apply: () => engine.detachDrive(id, was.id), undo: () => engine.attachDrive(id, was) };
    }
  }
  for (const { was, is } of drives) {
    if (is !== undefined && !sameDrive(was, is)) {
      yield {
        apply: () => engine.attachDrive(id, is),
        undo: () => (was === undefined ? engine.detachDrive(id, is.id) : engine.attachDrive(id, was)),
      };
    }
  }
  for (const { was, is } of nics) {
    if (was !== undefined && is === undefined) {
      yield { apply: () => engine.detachNic(id, was.id), undo: () => engine.attachNic(id, was) };
    } else if (was === undefined && is !== undefined) {
      yield { apply: () => engine.attachNic(id, is), undo: () => engine.detachNic(id, is.id) };
    } else if (was !== undefined && is !== undefined && !sameConnection(was, is)) {
      yield {
        apply: () => engine.connectNic(id, is.id, is.switchId ?? null, is),
        undo: () => engine.connectNic(id, was.id, was.switchId ?? null, was),
      };
    }
  }
}

function pairs<T extends { readonly id: string }>(
  before: readonly T[],
  after: readonly T[],
): { was: T | undefined; is: T | undefined }[] {
  const ids = new Set([...before, ...after].map((item) => item.id));
  return [...ids].map((id) => ({
    was: before.find((item) => item.id === id),
    is: after.find((item) => item.id === id),
  }));
}

function sameConnection(was: NicConfig, is: NicConfig): boolean {
  return was.switchId === is.switchId && (was.macSpoofing ?? false) === (is.macSpoofing ?? false);
}

function sameDrive(was: DriveConfig | undefined, is: DriveConfig): boolean {
  return (
    was !== undefined &&
    sameContent(was, is) &&
    was.kind === is.kind &&
    (was.iopsLimit ?? 0) === (is.iopsLimit ?? 0)
  );
}
