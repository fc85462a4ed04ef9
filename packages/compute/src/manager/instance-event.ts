import type { InstanceRequest } from '../ports.js';
import type { ComputeContext } from './context.js';
import { describeFailure } from './faults.js';

/**
 * Does the work between an instance action event's start and finish (`openstack server event show`), as Nova's
 * wrap_instance_event. Events are for the eye: a store that cannot take them does not stop the work.
 */
export async function withInstanceEvent(
  ctx: ComputeContext,
  request: InstanceRequest,
  event: string,
  work: () => Promise<void>,
): Promise<void> {
  const { instanceUuid: uuid, requestId } = request;
  const tell = async (what: Promise<void>): Promise<void> => {
    try {
      await what;
    } catch (error) {
      ctx.log.warn({ err: error, instance: uuid, event }, 'an instance action event could not be recorded');
    }
  };
  await tell(ctx.instances.eventStarted(uuid, requestId, event, ctx.host));
  try {
    await work();
  } catch (error) {
    await tell(ctx.instances.eventFinished(uuid, requestId, event, describeFailure(error, ctx.host).message));
    throw error;
  }
  await tell(ctx.instances.eventFinished(uuid, requestId, event, null));
}
