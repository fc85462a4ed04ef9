import { parseBoolean, single } from '../../kernel/collection.js';
import { badRequest } from '../../kernel/errors.js';
import { z } from 'zod';
import type { Call } from '../api/call.js';
import { allTenants, paged, sorted, type SortFields } from '../api/list.js';
import type { Cinder } from '../deps.js';
import { volumeNotFound } from '../errors.js';
import { readTexts } from '../json.js';
import type { VolumeRow } from '../tables.js';
import { viewsOf, type VolumeView } from './views.js';

const SORT: SortFields<VolumeRow> = {
  id: (row) => row.id,
  name: (row) => row.name,
  display_name: (row) => row.name,
  status: (row) => row.status,
  size: (row) => row.size,
  availability_zone: (row) => row.availability_zone,
  bootable: (row) => row.bootable,
  created_at: (row) => row.created_at,
  updated_at: (row) => row.updated_at,
  host: (row) => row.host,
};

/** Names of one metadata filter: `{"key": "value"}` as JSON, or Python's way of writing that. */
const METADATA = z.record(z.string(), z.string());

function metadataFilter(text: string): (row: VolumeRow) => boolean {
  let wanted: Readonly<Record<string, string>>;
  try {
    wanted = METADATA.parse(JSON.parse(text.replaceAll(/u?'([^']*)'/g, '"$1"')));
  } catch {
    throw badRequest(`Invalid filter metadata: ${text}`);
  }
  return (row) => {
    const has = readTexts(row.metadata);
    return Object.entries(wanted).every(([key, value]) => has[key] === value);
  };
}

/** `gt:2026-01-01T00:00:00,lt:…` of 3.60. */
export function timeFilter(text: string, name: string): (iso: string | null) => boolean {
  const tests = text.split(',').map((part) => {
    const [operator = '', ...rest] = part.split(':');
    const written = rest.join(':');
    const at = Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(written) ? written : `${written}Z`);
    if (Number.isNaN(at)) throw badRequest(`Invalid ${written === '' ? name : written} value`);
    const compare: Readonly<Record<string, (value: number) => boolean>> = {
      gt: (value) => value > at,
      gte: (value) => value >= at,
      eq: (value) => value === at,
      neq: (value) => value !== at,
      lt: (value) => value < at,
      lte: (value) => value <= at,
    };
    const test = compare[operator];
    if (test === undefined) throw badRequest(`Invalid ${operator} operator`);
    return test;
  });
  return (iso) => iso !== null && tests.every((test) => test(Date.parse(iso)));
}

type Field = (row: VolumeRow) => string;
const FIELDS: Readonly<Record<string, Field>> = {
  name: (row) => row.name ?? '',
  display_name: (row) => row.name ?? '',
  description: (row) => row.description ?? '',
  status: (row) => row.status,
  availability_zone: (row) => row.availability_zone,
  size: (row) => String(row.size),
  migration_status: () => '',
  attach_status: (row) => row.attach_status,
  id: (row) => row.id,
  snapshot_id: (row) => row.snapshot_id ?? '',
  source_volid: (row) => row.source_volid ?? '',
};
const ADMIN_FIELDS: Readonly<Record<string, Field>> = {
  host: (row) => row.host ?? '',
  project_id: (row) => row.project_id,
  user_id: (row) => row.user_id,
  volume_type_id: (row) => row.volume_type_id,
};
/** What is no filter. */
const CONTROL = new Set([
  'all_tenants',
  'limit',
  'marker',
  'offset',
  'sort',
  'sort_key',
  'sort_dir',
  'with_count',
  'consumes_quota',
]);

/** Filters of a query (etc/cinder/resource_filters.json); one that is not known finds nothing for administrators, and is ignored for users. */
function filters(call: Call): readonly ((row: VolumeRow) => boolean)[] {
  const fields = call.context.isAdmin ? { ...FIELDS, ...ADMIN_FIELDS } : FIELDS;
  return Object.keys(call.query)
    .filter((name) => !CONTROL.has(name))
    .flatMap((name): readonly ((row: VolumeRow) => boolean)[] => {
      const text = single(call.query, name) ?? '';
      const like = name.endsWith('~') && call.version >= 34;
      const field = fields[like ? name.slice(0, -1) : name];
      if (field !== undefined) return [(row) => (like ? field(row).includes(text) : field(row) === text)];
      if (name === 'metadata') return [metadataFilter(text)];
      if (name === 'bootable') {
        const wanted = Number(parseBoolean(text, name));
        return [(row) => row.bootable === wanted];
      }
      if (name === 'created_at' || name === 'updated_at') {
        const test = timeFilter(text, name);
        return [(row) => test(row[name])];
      }
      return name === 'group_id' ? [() => false] : [];
    });
}

async function found(cinder: Cinder, call: Call): Promise<readonly VolumeRow[]> {
  let query = cinder.db.selectFrom('block_storage_volume').selectAll();
  const project = single(call.query, 'project_id');
  if (!allTenants(call)) query = query.where('project_id', '=', call.context.projectId);
  else if (project !== undefined) query = query.where('project_id', '=', project);
  const tests = filters(call);
  return (await query.execute()).filter((row) => tests.every((test) => test(row)));
}

/** One page of the volumes that the caller sees. @throws ApiError 400, 404 of an unknown marker */
export async function listVolumes(
  cinder: Cinder,
  call: Call,
  collection: string,
  body: (call: Call, view: VolumeView) => object,
): Promise<object> {
  const rows = sorted(call, await found(cinder, call), SORT);
  const { items, links } = paged(call, rows, collection, volumeNotFound);
  const counted =
    call.version >= 45 && parseBoolean(single(call.query, 'with_count') ?? 'false', 'with_count');
  return {
    volumes: (await viewsOf(cinder, items)).map((view) => body(call, view)),
    ...(links === undefined ? {} : { volumes_links: links }),
    ...(counted ? { count: rows.length } : {}),
  };
}

/** `GET /volumes/summary`, from 3.12 on. */
export async function summarize(cinder: Cinder, call: Call): Promise<object> {
  const rows = await found(cinder, call);
  const metadata: Record<string, string[]> = {};
  for (const row of rows) {
    for (const [key, value] of Object.entries(readTexts(row.metadata))) {
      const values = (metadata[key] ??= []);
      if (!values.includes(value)) values.push(value);
    }
  }
  return {
    'volume-summary': {
      total_count: rows.length,
      total_size: rows.reduce((sum, { size }) => sum + size, 0),
      ...(call.version >= 36 ? { metadata } : {}),
    },
  };
}
