import {
  UnexpectedTaskStateError,
  type ComputeService,
  type InstanceRequest,
  type TaskState,
} from '@nova-hyperv/compute';
import { z } from 'zod';
import { ApiError, badRequest, conflict } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import type { Call } from '../api/call.js';
import type { Nova } from '../deps.js';
import { failAction, recordAction } from '../store/actions.js';
import { saveIn } from '../store/instance-store.js';
import type { ServerRecord } from '../store/records.js';
import { toApiError } from './compute-errors.js';
import { checkLock, checkState, STATE_RULES, type StateRule } from './states.js';

/** The compute service of a server's host. Throws 409 without a host, 503 while the host's service is not there. */
export function computeOf(nova: Nova, server: ServerRecord): ComputeService {
  if (server.host === null) throw conflict(`Instance ${server.uuid} is not ready`);
  const compute = nova.compute(server.host);
  if (compute === undefined) {
    throw new ApiError(503, `Compute service of ${server.host} is unavailable at this time.`);
  }
  return compute;
}

interface Operation {
  readonly rule: StateRule;
  readonly action: string;
  readonly taskState: TaskState;
  readonly cast: (compute: ComputeService, request: InstanceRequest) => Promise<void>;
}

/** Marks the server with what begins, if nobody was faster, and records the action: one transaction. */
async function begin(nova: Nova, call: Call, server: ServerRecord, operation: Operation): Promise<void> {
  try {
    await nova.db.transaction().execute(async (trx) => {
      await saveIn(trx, server.uuid, { taskState: operation.taskState }, [server.taskState]);
      await recordAction(trx, {
        instanceUuid: server.uuid,
        requestId: call.context.requestId,
        userId: call.context.userId,
        projectId: call.context.projectId,
        action: operation.action,
      });
    });
  } catch (error) {
    if (!(error instanceof UnexpectedTaskStateError)) throw error;
    throw conflict(
      `Cannot '${operation.rule.action}' instance ${server.uuid} while it is in task_state ${String(error.actual)}`,
    );
  }
}

/** One operation of a server's host: refused, or taken in hand with its task state set. @throws ApiError */
export async function runOperation(
  nova: Nova,
  call: Call,
  server: ServerRecord,
  operation: Operation,
): Promise<void> {
  checkLock(server, call.context);
  const compute = computeOf(nova, server);
  checkState(server, operation.rule);
  await begin(nova, call, server, operation);
  const request = { instanceUuid: server.uuid, requestId: call.context.requestId };
  try {
    await operation.cast(compute, request);
  } catch (error) {
    // Not taken: the server is as it was.
    await nova.db
      .transaction()
      .execute((trx) => saveIn(trx, server.uuid, { taskState: server.taskState }, [operation.taskState]))
      .catch(() => undefined);
    await failAction(nova.db, server.uuid, request.requestId);
    throw toApiError(error);
  }
}

export const start = (nova: Nova, call: Call, server: ServerRecord): Promise<void> =>
  runOperation(nova, call, server, {
    rule: STATE_RULES.start,
    action: 'start',
    taskState: 'powering-on',
    cast: (compute, request) => compute.startInstance(request),
  });

export const stop = (nova: Nova, call: Call, server: ServerRecord): Promise<void> =>
  runOperation(nova, call, server, {
    rule: STATE_RULES.stop,
    action: 'stop',
    taskState: 'powering-off',
    cast: (compute, request) => compute.stopInstance(request),
  });

const REBOOT = z.strictObject({
  type: z
    .string()
    .transform((text) => text.toUpperCase())
    .pipe(z.enum(['SOFT', 'HARD'])),
});

export function reboot(nova: Nova, call: Call, server: ServerRecord, body: unknown): Promise<void> {
  const { type } = parse(REBOOT, body);
  return runOperation(nova, call, server, {
    rule: type === 'SOFT' ? STATE_RULES.softReboot : STATE_RULES.hardReboot,
    action: 'reboot',
    taskState: type === 'SOFT' ? 'rebooting' : 'rebooting_hard',
    cast: (compute, request) => compute.rebootInstance({ ...request, rebootType: type }),
  });
}

const CONSOLE = z
  .strictObject({ length: z.union([z.number().int(), z.string().regex(/^-?\d{1,9}$/)]).nullish() })
  .nullish();

/** Control characters but tab and line feed, which Nova's clients never get. */
const CONTROL = /(?![\t\n\u007f-\u009f])\p{Cc}/gu;

/** The guest's own words; -1 or nothing asks for all of them. */
export async function consoleOutput(
  nova: Nova,
  call: Call,
  server: ServerRecord,
  body: unknown,
): Promise<object> {
  const length = parse(CONSOLE, body)?.length ?? null;
  const lines = length === null ? null : Number(length);
  if (lines !== null && lines < -1) throw badRequest('length must be -1 or more');
  const compute = computeOf(nova, server);
  if (server.launchedAt === null) throw conflict(`Instance ${server.uuid} is not ready`);
  try {
    const output = await compute.getConsoleOutput({
      instanceUuid: server.uuid,
      requestId: call.context.requestId,
      tailLength: lines === -1 ? null : lines,
    });
    return { output: output.replace(CONTROL, '') };
  } catch (error) {
    throw toApiError(error);
  }
}
