import type { InstanceRecord } from '../ports.js';
import type { CallOptions } from '../rest/rest-client.js';
import type { ComputeContext } from './context.js';
import { connectedVolumes } from './block-devices.js';
import { refOf } from './instance-view.js';
import { releaseNetworks } from './networks.js';
import { releaseVolumes, type VolumesAfter } from './volume-release.js';

/**
 * Takes back everything an instance has outside the store: its machine, its volumes, its ports, its allocation. Each part is tried whatever
 * becomes of the others, and each may be done again.
 * @returns what could not be taken back
 */
export async function takeBack(
  ctx: ComputeContext,
  record: InstanceRecord,
  parts: { readonly machine: boolean; readonly volumes: VolumesAfter },
  call: CallOptions = {},
): Promise<readonly Error[]> {
  const steps: readonly (readonly [string, () => Promise<void>])[] = [
    ...(parts.machine ? [['machine', () => destroyMachine(ctx, record)] as const] : []),
    ['volumes', () => releaseVolumes(ctx, record, parts.volumes, call)],
    ['ports', () => releaseNetworks(ctx, record, call)],
    ['allocation', () => ctx.placement.deleteAllocations(record.uuid, call)],
  ];
  const failures: Error[] = [];
  for (const [part, step] of steps) {
    // A machine that is still there still writes to them.
    if (part === 'volumes' && failures.length > 0) continue;
    try {
      await step();
    } catch (error) {
      ctx.log.error(
        { err: error, instance: record.uuid, part },
        'part of an instance could not be taken back',
      );
      failures.push(error instanceof Error ? error : new Error(String(error)));
    }
  }
  return failures;
}

async function destroyMachine(ctx: ComputeContext, record: InstanceRecord): Promise<void> {
  await ctx.driver.destroy(refOf(record), { volumes: await connectedVolumes(ctx, record.uuid) });
}
