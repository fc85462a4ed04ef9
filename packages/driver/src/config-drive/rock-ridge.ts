import { both32, shortDate } from './iso-fields.js';
import type { IsoNode } from './iso-tree.js';

/** Whose directory record it is: a directory's own first two (`.` and `..`), or an entry's. */
export type RecordRole = 'root' | 'self' | 'parent' | 'entry';

/** Everyone may read, nobody may write. */
const DIRECTORY_MODE = 0o040_555;
const FILE_MODE = 0o100_444;

const IDENTIFIER = 'RRIP_1991A';
const DESCRIPTION = 'THE ROCK RIDGE INTERCHANGE PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS';

/**
 * The fields of one directory record that give it a POSIX name, mode, owner and time.
 * Source: IEEE P1281 (SUSP 1.10) SP and ER; IEEE P1282 (Rock Ridge 1.10) PX, TF, NM.
 */
export function rockRidge(node: IsoNode, role: RecordRole, date: Date): Buffer {
  const fields: Buffer[] = [];
  // It begins the use of the protocol, in the root's own record alone.
  if (role === 'root') fields.push(field('SP', Buffer.from([0xbe, 0xef, 0])));
  fields.push(attributes(node), times(date));
  if (role === 'entry') fields.push(field('NM', Buffer.from([0]), Buffer.from(node.name, 'latin1')));
  if (role === 'root') fields.push(extensionReference());
  return Buffer.concat(fields);
}

function field(signature: string, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.from(signature, 'latin1'), Buffer.from([body.length + 4, 1]), body]);
}

function attributes(node: IsoNode): Buffer {
  const isDirectory = node.kind === 'directory';
  const links = isDirectory ? 2 + node.children.filter(({ kind }) => kind === 'directory').length : 1;
  const owner = both32(0);
  return field('PX', both32(isDirectory ? DIRECTORY_MODE : FILE_MODE), both32(links), owner, owner);
}

/** Of modification, access and attributes. */
function times(date: Date): Buffer {
  const time = shortDate(date);
  return field('TF', Buffer.from([0x0e]), time, time, time);
}

function extensionReference(): Buffer {
  const lengths = Buffer.from([IDENTIFIER.length, DESCRIPTION.length, 0, 1]);
  return field('ER', lengths, Buffer.from(IDENTIFIER + DESCRIPTION, 'latin1'));
}
