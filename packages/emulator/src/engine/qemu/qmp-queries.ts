import type { QmpClient } from './qmp.js';
import { QmpError } from './qmp.js';

/** Whether the processors run, and in QEMU's words why not: `running`, `paused`, `io-error` … (RunState). */
export async function queryStatus(qmp: QmpClient): Promise<string> {
  const answer = await qmp.execute('query-status', undefined);
  if (isObject(answer) && typeof answer['status'] === 'string') return answer['status'];
  throw unexpected('query-status');
}

/** The names of all block nodes that have one. */
export async function queryNodes(qmp: QmpClient): Promise<readonly string[]> {
  const answer = await qmp.execute('query-named-block-nodes', { flat: true });
  return stringsOf(answer, 'node-name', 'query-named-block-nodes');
}

/** The ids of the devices that were given one, on the command line or later. */
export async function queryDevices(qmp: QmpClient): Promise<readonly string[]> {
  return stringsOf(await qmp.execute('qom-list', { path: '/machine/peripheral' }), 'name', 'qom-list');
}

function stringsOf(answer: unknown, property: string, command: string): readonly string[] {
  if (!Array.isArray(answer)) throw unexpected(command);
  return answer
    .map((each: unknown) => (isObject(each) ? each[property] : undefined))
    .filter((value) => typeof value === 'string');
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function unexpected(command: string): QmpError {
  return new QmpError('QMP_PROTOCOL', `${command}: QEMU's answer is none that is known.`);
}
