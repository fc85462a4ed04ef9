import { z } from 'zod';
import { badRequest, conflict, forbidden, notFound } from '../../kernel/errors.js';
import { single } from '../../kernel/collection.js';
import { parse } from '../../kernel/validate.js';
import { requireAdmin, type Call, type Route } from '../api/call.js';
import { pageRequest, paginate } from '../api/paging.js';
import { novaTime } from '../api/times.js';
import { gated, name } from '../api/values.js';
import type { Nova } from '../deps.js';
import {
  deleteKeypair,
  findKeypair,
  insertKeypair,
  listKeypairs,
  type KeypairRow,
} from '../store/keypairs.js';
import { limitsOf } from '../store/quotas.js';
import { generateSshKey, sshFingerprint } from './ssh-key.js';

/** Names before 2.92; from then on also `@` and `.`, and only these. */
const OLD_NAME = name.pipe(z.string().regex(/^[a-zA-Z0-9 _-]+$/, 'Keypair name contains unsafe characters'));
const NEW_NAME = z.string().regex(/^[a-zA-Z0-9._@ -]{1,255}$/, 'Keypair name contains unsafe characters');
/** nova/api/openstack/compute/schemas/keypairs.py, `public_key` */
const publicKey = z.string().min(1).max(65_535);
const type = z.enum(['ssh', 'x509']);
const userId = z.string().min(1).max(255);

/** Body by microversion: 2.2 adds the type, 2.10 the user, 2.92 makes the public key necessary. */
function createSchema(version: number) {
  const fields = {
    name: version >= 92 ? NEW_NAME : OLD_NAME,
    public_key: version >= 92 ? publicKey : publicKey.optional(),
    type: gated(version >= 2, type),
    user_id: gated(version >= 10, userId),
  };
  return z.strictObject({ keypair: z.strictObject(fields) });
}

/** 2.10 lets administrators name the user. */
function ownerOf(call: Call, named: string | undefined, rule: string): string {
  if (call.version < 10 || named === undefined || named === call.context.userId) return call.context.userId;
  requireAdmin(call.context, `os-keypairs:${rule}`);
  return named;
}

const typeOf = (call: Call, row: KeypairRow): object => (call.version >= 2 ? { type: row.type } : {});

const summary = (call: Call, row: KeypairRow): object => ({
  name: row.name,
  public_key: row.public_key,
  fingerprint: row.fingerprint,
  ...typeOf(call, row),
});

const detail = (call: Call, row: KeypairRow): object => ({
  ...summary(call, row),
  created_at: novaTime(row.created_at),
  deleted: false,
  deleted_at: null,
  id: row.id,
  updated_at: null,
  user_id: row.user_id,
});

async function create(nova: Nova, call: Call): Promise<object> {
  const { keypair: wanted } = parse(createSchema(call.version), call.body);
  const owner = ownerOf(call, wanted.user_id, 'create');
  if (wanted.type === 'x509') {
    throw badRequest('Keypairs of type x509 are not served: import or create one of type ssh.');
  }
  const limit = (await limitsOf(nova.db, call.context.projectId, nova.config)).key_pairs;
  if (limit >= 0 && (await listKeypairs(nova.db, owner)).length >= limit) {
    throw forbidden('Maximum number of key pairs exceeded');
  }
  const generated = wanted.public_key === undefined ? await generateSshKey('Generated-by-Nova') : null;
  const key = generated?.publicKey ?? wanted.public_key ?? '';
  const row = await insertKeypair(nova.db, {
    user_id: owner,
    name: wanted.name,
    type: 'ssh',
    public_key: key,
    fingerprint: generated?.fingerprint ?? sshFingerprint(key),
  });
  if (row === null) throw conflict(`Key pair '${wanted.name}' already exists.`);
  const secret = generated === null ? {} : { private_key: generated.privateKey };
  return { keypair: { ...summary(call, row), user_id: owner, ...secret } };
}

const missing = (keyName: string, owner: string): Error =>
  notFound(`Keypair ${keyName} not found for user ${owner}`);

async function show(nova: Nova, call: Call): Promise<object> {
  const owner = ownerOf(call, single(call.query, 'user_id'), 'show');
  const keyName = call.params['name'] ?? '';
  const row = await findKeypair(nova.db, owner, keyName);
  if (row === undefined) throw missing(keyName, owner);
  return { keypair: detail(call, row) };
}

async function list(nova: Nova, call: Call): Promise<object> {
  const owner = ownerOf(call, single(call.query, 'user_id'), 'index');
  const rows = await listKeypairs(nova.db, owner);
  const view = (items: readonly KeypairRow[]): object[] =>
    items.map((row) => ({ keypair: summary(call, row) }));
  if (call.version < 35) return { keypairs: view(rows) };
  const page = pageRequest(call, nova.config.maxLimit);
  const { items, links } = paginate(call, rows, (row) => row.name, page, 'os-keypairs');
  return { keypairs: view(items), ...(links === undefined ? {} : { keypairs_links: links }) };
}

async function remove(nova: Nova, call: Call): Promise<void> {
  const owner = ownerOf(call, single(call.query, 'user_id'), 'delete');
  const keyName = call.params['name'] ?? '';
  if (!(await deleteKeypair(nova.db, owner, keyName))) throw missing(keyName, owner);
}

export function registerKeypairs(route: Route, nova: Nova): void {
  route('GET', '/os-keypairs', (call) => list(nova, call), { query: ['user_id', 'limit', 'marker'] });
  route('POST', '/os-keypairs', (call) => create(nova, call), {
    status: (version) => (version >= 2 ? 201 : 200),
  });
  route('GET', '/os-keypairs/:name', (call) => show(nova, call), { query: ['user_id'] });
  route('DELETE', '/os-keypairs/:name', (call) => remove(nova, call), {
    status: (version) => (version >= 2 ? 204 : 202),
    query: ['user_id'],
  });
}
