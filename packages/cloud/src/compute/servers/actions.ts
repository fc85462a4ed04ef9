import { z } from 'zod';
import { ApiError, badRequest, forbidden } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import { members, requireAdmin, type Call, type Route } from '../api/call.js';
import type { Nova } from '../deps.js';
import type { Conductor } from '../scheduler/conductor.js';
import { recordAction } from '../store/actions.js';
import type { ServerRecord } from '../store/records.js';
import { createImage } from './create-image.js';
import { deleteServer } from './delete.js';
import { findServer } from './find.js';
import { consoleOutput, reboot, start, stop } from './power.js';
import { confirmResize, resizeServer, revertResize } from './resize.js';
import { addSecurityGroup, removeSecurityGroup } from './security-groups.js';

interface ActionContext {
  readonly nova: Nova;
  readonly conductor: Conductor;
  readonly call: Call;
  readonly server: ServerRecord;
  /** What stands under the action's name. */
  readonly body: unknown;
}

const RESET = z.strictObject({ state: z.enum(['active', 'error']) });

async function resetState({ nova, call, server, body }: ActionContext): Promise<void> {
  requireAdmin(call.context, 'os-admin-actions:reset_state');
  const { state } = parse(RESET, body);
  await nova.db
    .updateTable('compute_instance')
    .set({ vm_state: state, task_state: null, updated_at: nova.now().toISOString() })
    .where('uuid', '=', server.uuid)
    .execute();
}

const LOCK = z.strictObject({ locked_reason: z.string().min(1).max(255).optional() }).nullish();

async function setLock({ nova, call, server, body }: ActionContext): Promise<void> {
  const reason = call.version >= 73 ? (parse(LOCK, body)?.locked_reason ?? null) : null;
  const owner = call.context.projectId === server.projectId;
  await saveLock(nova, call, server, { action: 'lock', by: owner ? 'owner' : 'admin', reason });
}

async function unlock({ nova, call, server }: ActionContext): Promise<void> {
  if (server.lockedBy === 'admin' && !call.context.isAdmin) {
    throw forbidden(
      "Policy doesn't allow os_compute_api:os-lock-server:unlock:unlock_override to be performed.",
    );
  }
  await saveLock(nova, call, server, { action: 'unlock', by: null, reason: null });
}

async function saveLock(
  nova: Nova,
  call: Call,
  server: ServerRecord,
  lock: { readonly action: string; readonly by: ServerRecord['lockedBy']; readonly reason: string | null },
): Promise<void> {
  await nova.db.transaction().execute(async (trx) => {
    await trx
      .updateTable('compute_instance')
      .set({ locked_by: lock.by, locked_reason: lock.reason, updated_at: nova.now().toISOString() })
      .where('uuid', '=', server.uuid)
      .execute();
    await recordAction(trx, {
      instanceUuid: server.uuid,
      requestId: call.context.requestId,
      userId: call.context.userId,
      projectId: call.context.projectId,
      action: lock.action,
    });
  });
}

type ActionHandler = (context: ActionContext) => Promise<unknown>;

interface Action {
  readonly handler: ActionHandler;
  readonly status?: number;
}

const ACTIONS: Readonly<Record<string, Action>> = {
  'os-start': { handler: ({ nova, call, server }) => start(nova, call, server) },
  'os-stop': { handler: ({ nova, call, server }) => stop(nova, call, server) },
  reboot: { handler: ({ nova, call, server, body }) => reboot(nova, call, server, body) },
  'os-getConsoleOutput': {
    status: 200,
    handler: ({ nova, call, server, body }) => consoleOutput(nova, call, server, body),
  },
  resize: {
    handler: ({ nova, conductor, call, server, body }) => resizeServer(nova, conductor, call, server, body),
  },
  confirmResize: {
    status: 204,
    handler: ({ nova, call, server, body }) => confirmResize(nova, call, server, body),
  },
  revertResize: { handler: ({ nova, call, server, body }) => revertResize(nova, call, server, body) },
  createImage: { handler: ({ nova, call, server, body }) => createImage(nova, call, server, body) },
  'os-resetState': { handler: resetState },
  lock: { handler: setLock },
  unlock: { handler: unlock },
  addSecurityGroup: { handler: ({ nova, call, server, body }) => addSecurityGroup(nova, call, server, body) },
  removeSecurityGroup: {
    handler: ({ nova, call, server, body }) => removeSecurityGroup(nova, call, server, body),
  },
  forceDelete: {
    handler: ({ nova, conductor, call, server }) => deleteServer(nova, conductor, call, server),
  },
};

/** Actions of Nova that are not served, with what to do where there is something. */
const UNSERVED: Readonly<Record<string, string>> = {
  pause: '',
  unpause: '',
  suspend: '',
  resume: '',
  rescue: '',
  unrescue: '',
  shelve: '',
  unshelve: '',
  shelveOffload: '',
  rebuild: '',
  migrate: '',
  'os-migrateLive': '',
  evacuate: '',
  createBackup: '',
  restore: '',
  changePassword: '',
  trigger_crash_dump: '',
  addFixedIp: '',
  removeFixedIp: '',
  addFloatingIp: '',
  removeFloatingIp: '',
  'os-getVNCConsole': 'Read the console log (openstack console log show).',
  'os-getSPICEConsole': 'Read the console log (openstack console log show).',
  'os-getRDPConsole': 'Read the console log (openstack console log show).',
  'os-getSerialConsole': 'Read the console log (openstack console log show).',
  'os-getMKSConsole': 'Read the console log (openstack console log show).',
  resetNetwork: '',
  injectNetworkInfo: '',
};

function actionName(body: unknown): string {
  const names = Object.keys(members(body));
  const [name] = names;
  if (name === undefined || names.length !== 1) {
    throw badRequest('The body of an action has to be an object with one member, the name of the action.');
  }
  return name;
}

async function act(nova: Nova, conductor: Conductor, call: Call): Promise<unknown> {
  const name = actionName(call.body);
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
  if (action === undefined) {
    if (Object.hasOwn(UNSERVED, name)) {
      throw new ApiError(
        501,
        `The action ${name} is not served by this cloud. ${UNSERVED[name] ?? ''}`.trim(),
      );
    }
    throw badRequest(`There is no such action: ${name}.`);
  }
  const server = await findServer(nova, call);
  call.reply.code(action.status ?? 202);
  return action.handler({ nova, conductor, call, server, body: members(call.body)[name] });
}

export function registerServerActions(route: Route, nova: Nova, conductor: Conductor): void {
  route('POST', '/servers/:id/action', (call) => act(nova, conductor, call), { status: 202 });
}
