import type { DriveStats } from '../engine.js';
import type { QmpClient } from './qmp.js';
import { QmpError } from './qmp.js';

type BlockStats = Omit<DriveStats, 'id'>;

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

/** What the guest has read and written, by the devices' names (the last part of their paths in QEMU's object tree). */
export async function queryBlockStats(qmp: QmpClient): Promise<ReadonlyMap<string, BlockStats>> {
  const answer = await qmp.execute('query-blockstats', undefined);
  if (!Array.isArray(answer)) throw unexpected('query-blockstats');
  const found = new Map<string, BlockStats>();
  for (const each of answer) {
    if (!isObject(each) || !isObject(each['stats']) || typeof each['qdev'] !== 'string') continue;
    const { stats } = each;
    const count = (name: string): number => (typeof stats[name] === 'number' ? stats[name] : 0);
    found.set(each['qdev'].split('/').at(-1) ?? '', {
      readBytes: count('rd_bytes'),
      writtenBytes: count('wr_bytes'),
      readRequests: count('rd_operations'),
      writeRequests: count('wr_operations'),
      busyMs: (count('rd_total_time_ns') + count('wr_total_time_ns') + count('flush_total_time_ns')) / 1e6,
    });
  }
  return found;
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
