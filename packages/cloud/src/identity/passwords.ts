import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { ApiError } from '../kernel/errors.js';

interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

const COST: ScryptCost = { N: 16_384, r: 8, p: 1 };
const KEY_BYTES = 32;
/** Keystone's bound (`[identity] max_password_length` is larger; this keeps hashing short). */
export const MAX_PASSWORD_LENGTH = 1_024;

/** Threads of Node's pool that hashing takes at most: the others are left to the disk. */
const MAX_HASHING = 2;
/** Logins that wait for their turn at most. */
const MAX_WAITING = 128;
let hashing = 0;
const waiting: (() => void)[] = [];

/** Anybody can ask for a login: a flood of them must neither stop all other work nor fill the memory. @throws ApiError 503 */
async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (hashing < MAX_HASHING) {
    hashing += 1;
  } else {
    if (waiting.length >= MAX_WAITING) {
      throw new ApiError(503, 'Too many logins at a time; try again in a moment.', {
        headers: { 'Retry-After': '1' },
      });
    }
    // Who ends hands its turn over.
    await new Promise<void>((resolve) => waiting.push(resolve));
  }
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next === undefined) hashing -= 1;
    else next();
  }
}

function derive(password: string, salt: Uint8Array, cost: ScryptCost): Promise<Buffer> {
  return inTurn(() => deriveNow(password, salt, cost));
}

function deriveNow(password: string, salt: Uint8Array, cost: ScryptCost): Promise<Buffer> {
  const options = { ...cost, maxmem: 256 * cost.N * cost.r };
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), salt, KEY_BYTES, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

/** `$scrypt$N,r,p$salt$key`, both in base64. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const key = await derive(password, salt, COST);
  return `$scrypt$${COST.N},${COST.r},${COST.p}$${salt.toString('base64')}$${key.toString('base64')}`;
}

const NOBODY = `$scrypt$${COST.N},${COST.r},${COST.p}$${Buffer.alloc(16).toString('base64')}$${Buffer.alloc(KEY_BYTES).toString('base64')}`;

/** Takes as long for a user that does not exist or has no password (`hash` null) as for one that does: the answer is then no. */
export async function checkPassword(password: string, hash: string | null): Promise<boolean> {
  if (password.length > MAX_PASSWORD_LENGTH) return false;
  const match = /^\$scrypt\$(\d+),(\d+),(\d+)\$([^$]+)\$([^$]+)$/.exec(hash ?? NOBODY);
  if (match === null) return false;
  const [, n, r, p, salt = '', key = ''] = match;
  const expected = Buffer.from(key, 'base64');
  const actual = await derive(password, Buffer.from(salt, 'base64'), {
    N: Number(n),
    r: Number(r),
    p: Number(p),
  });
  return expected.length === actual.length && timingSafeEqual(expected, actual) && hash !== null;
}
