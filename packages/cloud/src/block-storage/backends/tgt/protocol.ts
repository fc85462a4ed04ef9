import { endianness } from 'node:os';

/**
 * The management protocol of tgtd, spoken over a unix socket: one request, one response, in the layout of C structures of this machine.
 * Source: tgt 1.0.85, usr/tgtadm.h (requests, responses), usr/tgtadm_error.h (errors), usr/tgtadm.c (the text behind a request).
 */
const LITTLE = endianness() === 'LE';
const REQUEST_SIZE = 120;
export const RESPONSE_SIZE = 8;
/** usr/mgmt.c MAX_MGT_BUFSIZE */
const MAX_TEXT = 8 * 1024;

export const MODE = { system: 0, target: 1, logicalUnit: 2, portal: 3, connection: 6, account: 7 } as const;
export const OP = { new: 0, delete: 1, show: 2, bind: 3, unbind: 4, update: 5 } as const;

export interface TgtRequest {
  readonly mode: (typeof MODE)[keyof typeof MODE];
  readonly op: (typeof OP)[keyof typeof OP];
  /** Target; -1 for all of them. */
  readonly tid?: number;
  readonly sid?: number;
  readonly lun?: number;
  readonly cid?: number;
  readonly force?: boolean;
  /** `key=value`, joined by commas; values are taken as they are. */
  readonly text?: string;
}

export function encodeRequest(request: TgtRequest): Buffer {
  // Read as a C string there.
  const text = request.text === undefined ? Buffer.alloc(0) : Buffer.from(`${request.text}\0`);
  if (text.length > MAX_TEXT) throw new RangeError('A request to tgtd is too long.');
  const bytes = Buffer.alloc(REQUEST_SIZE + text.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint32(0, request.mode, LITTLE);
  view.setUint32(4, request.op, LITTLE);
  bytes.write('iscsi', 8, 'latin1');
  view.setUint32(72, bytes.length, LITTLE);
  view.setInt32(76, request.tid ?? -1, LITTLE);
  view.setBigUint64(80, BigInt(request.sid ?? 0), LITTLE);
  view.setBigUint64(88, BigInt(request.lun ?? 0), LITTLE);
  view.setUint32(96, request.cid ?? 0, LITTLE);
  view.setUint32(116, request.force === true ? 1 : 0, LITTLE);
  text.copy(bytes, REQUEST_SIZE);
  return bytes;
}

export interface ResponseHead {
  /** 0: done. */
  readonly error: number;
  /** Bytes of text that follow. */
  readonly textLength: number;
}

/** Of the first {@link RESPONSE_SIZE} bytes. */
export function decodeResponseHead(bytes: Uint8Array): ResponseHead {
  const view = new DataView(bytes.buffer, bytes.byteOffset, RESPONSE_SIZE);
  return {
    error: view.getUint32(0, LITTLE),
    textLength: Math.max(0, view.getUint32(4, LITTLE) - RESPONSE_SIZE),
  };
}

const ERRORS = [
  'success',
  'unknown error',
  'out of memory',
  "can't find the driver",
  "can't find the target",
  "can't find the logical unit",
  "can't find the session",
  "can't find the connection",
  "can't find the binding",
  'this target already exists',
  'this logical unit number already exists',
  'this binding already exists',
  'this access control rule already exists',
  'this access control rule does not exist',
  'this account already exists',
  "can't find the account",
  'too many accounts',
  'invalid request',
  'this target already has an outgoing account',
  'this target is still active',
  'this logical unit is still active',
  'this driver is busy',
  "this operation isn't supported",
  'unknown parameter',
  'this device has Prevent Removal set',
] as const;

/** Errors that say that it is so already. */
export const TGT_ERROR = {
  noTarget: 4,
  noLun: 5,
  noSession: 6,
  noConnection: 7,
  targetExists: 9,
  lunExists: 10,
  aclExists: 12,
  aclMissing: 13,
  userExists: 14,
  noUser: 15,
  lunActive: 20,
} as const;

export const errorText = (code: number): string => ERRORS[code] ?? `error ${code}`;

export interface TgtTarget {
  readonly tid: number;
  readonly name: string;
  /** Connections of initiators that are logged in. */
  readonly sessions: readonly {
    readonly sid: number;
    readonly initiator: string;
    readonly cids: readonly number[];
  }[];
  readonly luns: readonly { readonly lun: number; readonly path: string; readonly isOnline: boolean }[];
  readonly accounts: readonly string[];
  /** Names of initiators that may log in. */
  readonly acl: readonly string[];
}

interface Draft {
  tid: number;
  name: string;
  sessions: { sid: number; initiator: string; cids: number[] }[];
  luns: { lun: number; path: string; isOnline: boolean }[];
  accounts: string[];
  acl: string[];
}

/** Reads what `show` says of all targets (usr/target.c tgt_target_show_all). Levels are told by indentation, four blanks each. */
export function parseTargets(text: string): readonly TgtTarget[] {
  const targets: Draft[] = [];
  let section = '';
  for (const line of text.replaceAll('\0', '').split('\n')) {
    const [, tid, name] = /^Target (\d+): (.*)$/.exec(line) ?? [];
    if (tid !== undefined && name !== undefined) {
      targets.push({ tid: Number(tid), name, sessions: [], luns: [], accounts: [], acl: [] });
      continue;
    }
    const [, indent = '', content = ''] = /^( *)(.*)$/.exec(line) ?? [];
    const target = targets.at(-1);
    if (target === undefined || content === '') continue;
    if (indent.length === 4) section = content;
    else readItem(target, section, content);
  }
  return targets;
}

function readItem(target: Draft, section: string, content: string): void {
  const [, key = '', value = ''] = /^([^:]+): (.*)$/.exec(content) ?? [];
  const [session, lun] = [target.sessions.at(-1), target.luns.at(-1)];
  if (section.startsWith('Account')) target.accounts.push(content);
  else if (section.startsWith('ACL')) target.acl.push(content);
  else if (key === 'I_T nexus') target.sessions.push({ sid: Number(value), initiator: '', cids: [] });
  else if (key === 'Initiator' && session !== undefined) session.initiator = value.replace(/ alias: .*$/, '');
  else if (key === 'Connection' && session !== undefined) session.cids.push(Number(value));
  else if (key === 'LUN') target.luns.push({ lun: Number(value), path: '', isOnline: false });
  else if (key === 'Backing store path' && lun !== undefined) lun.path = value;
  else if (key === 'Online' && lun !== undefined) lun.isOnline = value === 'Yes';
}
