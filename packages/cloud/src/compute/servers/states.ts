import type { TaskState, VmState } from '@nova-hyperv/compute';
import { conflict } from '../../kernel/errors.js';
import type { RequestContext } from '../../kernel/service.js';
import type { ServerRecord } from '../store/records.js';

/** `status` of a server by vm_state, and where an operation shows, by task_state. nova/api/openstack/common.py */
const STATUSES: Readonly<Record<VmState, Readonly<Record<string, string>>>> = {
  active: {
    default: 'ACTIVE',
    rebooting: 'REBOOT',
    reboot_pending: 'REBOOT',
    reboot_started: 'REBOOT',
    rebooting_hard: 'HARD_REBOOT',
    reboot_pending_hard: 'HARD_REBOOT',
    reboot_started_hard: 'HARD_REBOOT',
    resize_prep: 'RESIZE',
    resize_migrating: 'RESIZE',
    resize_migrated: 'RESIZE',
    resize_finish: 'RESIZE',
  },
  building: { default: 'BUILD' },
  stopped: {
    default: 'SHUTOFF',
    resize_prep: 'RESIZE',
    resize_migrating: 'RESIZE',
    resize_migrated: 'RESIZE',
    resize_finish: 'RESIZE',
  },
  resized: { default: 'VERIFY_RESIZE', resize_reverting: 'REVERT_RESIZE' },
  paused: { default: 'PAUSED' },
  suspended: { default: 'SUSPENDED' },
  rescued: { default: 'RESCUE' },
  error: { default: 'ERROR' },
  deleted: { default: 'DELETED' },
  'soft-delete': { default: 'SOFT_DELETED' },
  shelved: { default: 'SHELVED' },
  shelved_offloaded: { default: 'SHELVED_OFFLOADED' },
};

type Stateful = Pick<ServerRecord, 'vmState' | 'taskState' | 'deleted'>;

export function statusOf(server: Stateful): string {
  if (server.deleted) return 'DELETED';
  const byTask = STATUSES[server.vmState];
  return byTask[server.taskState ?? 'default'] ?? byTask['default'] ?? 'UNKNOWN';
}

/** All statuses that a server of this cloud can show, upper case. */
export const KNOWN_STATUSES: ReadonlySet<string> = new Set(Object.values(STATUSES).flatMap(Object.values));

/** In which states an operation is allowed: nova/compute/api.py, the check_instance_state decorators. */
export interface StateRule {
  /** As the API calls it: `stop`. */
  readonly action: string;
  readonly vmStates: readonly VmState[];
  readonly taskStates: readonly TaskState[];
  readonly launched: boolean;
}

export const STATE_RULES = {
  start: { action: 'start', vmStates: ['stopped'], taskStates: [null], launched: true },
  stop: { action: 'stop', vmStates: ['active', 'error'], taskStates: [null], launched: true },
  softReboot: { action: 'reboot', vmStates: ['active'], taskStates: [null], launched: true },
  hardReboot: {
    action: 'reboot',
    vmStates: ['active', 'stopped', 'paused', 'suspended', 'error'],
    taskStates: [null, 'rebooting', 'reboot_pending', 'reboot_started', 'rebooting_hard'],
    launched: true,
  },
  resize: { action: 'resize', vmStates: ['active', 'stopped'], taskStates: [null], launched: true },
  confirmResize: { action: 'confirmResize', vmStates: ['resized'], taskStates: [null], launched: true },
  revertResize: { action: 'revertResize', vmStates: ['resized'], taskStates: [null], launched: true },
  createImage: {
    action: 'createImage',
    vmStates: ['active', 'stopped', 'paused', 'suspended'],
    taskStates: [null],
    launched: true,
  },
  attachVolume: {
    action: 'attach_volume',
    vmStates: ['active', 'paused', 'stopped', 'resized', 'soft-delete', 'shelved', 'shelved_offloaded'],
    taskStates: [null],
    launched: true,
  },
  detachVolume: {
    action: 'detach_volume',
    vmStates: ['active', 'paused', 'stopped', 'resized', 'soft-delete', 'shelved', 'shelved_offloaded'],
    taskStates: [null],
    launched: true,
  },
  metadata: {
    action: 'update metadata',
    vmStates: ['active', 'paused', 'suspended', 'stopped'],
    taskStates: [null],
    launched: true,
  },
} as const satisfies Record<string, StateRule>;

const invalid = (rule: StateRule, server: ServerRecord, attribute: string, state: string): Error =>
  conflict(`Cannot '${rule.action}' instance ${server.uuid} while it is in ${attribute} ${state}`);

/** Throws 409 in Nova's words. */
export function checkState(server: ServerRecord, rule: StateRule): void {
  if (!rule.vmStates.includes(server.vmState)) throw invalid(rule, server, 'vm_state', server.vmState);
  if (!rule.taskStates.includes(server.taskState)) {
    throw invalid(rule, server, 'task_state', String(server.taskState));
  }
  if (rule.launched && server.launchedAt === null) throw invalid(rule, server, 'launched_at', 'None');
}

/** Throws 409 when it is locked; administrators pass. */
export function checkLock(server: ServerRecord, context: RequestContext): void {
  if (server.lockedBy !== null && !context.isAdmin) throw conflict(`Instance ${server.uuid} is locked`);
}
