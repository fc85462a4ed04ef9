import type { InstanceRecord } from '../ports.js';
import type { CallOptions } from '../rest/rest-client.js';
import type { ComputeContext } from './context.js';
import { refOf } from './instance-view.js';
import { releaseNetworks } from './networks.js';

/**
 * Takes back everything an instance has outside the store: its machine, its ports, its allocation. Each part is tried whatever
 * becomes of the others, and each may be done again.
 * @returns what could not be taken back
 */
export async function takeBack(
  ctx: ComputeContext,
  record: InstanceRecord,
  parts: { readonly machine: boolean },
  call: CallOptions = {},
): Promise<readonly Error[]> {
  const steps: readonly (readonly [string, () => Promise<void>])[] = [
    ...(parts.machine ? [['machine', () => ctx.driver.destroy(refOf(record))] as const] : []),
    ['ports', () => releaseNetworks(ctx, record, call)],
    ['allocation', () => ctx.placement.deleteAllocations(record.uuid, call)],
  ];
  const failures: Error[] = [];
  for (const [part, step] of steps) {
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
