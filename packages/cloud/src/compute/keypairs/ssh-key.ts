import { createHash, generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { badRequest } from '../../kernel/errors.js';

const TYPES =
  /^(ssh-(rsa|dss|ed25519)|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)$/;
/** Longest public key that is taken, characters. */
const MAX_KEY = 16_384;

const invalid = (reason: string): Error => badRequest(`Keypair data is invalid: ${reason}`);

/** One length-prefixed string of RFC 4251, section 5. */
function sshString(bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.byteLength);
  return Buffer.concat([length, bytes]);
}

/** A positive mpint of RFC 4251, section 5: a zero in front when the first bit is set. */
function mpint(bytes: Buffer): Buffer {
  return sshString((bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
}

function firstString(blob: Buffer): string | null {
  if (blob.byteLength < 4) return null;
  const length = blob.readUInt32BE(0);
  return 4 + length <= blob.byteLength ? blob.toString('ascii', 4, 4 + length) : null;
}

/** `MD5` of the key's blob in pairs of digits, as Nova shows it. */
const fingerprintOf = (blob: Buffer): string =>
  createHash('md5')
    .update(blob)
    .digest('hex')
    .replace(/(..)(?!$)/g, '$1:');

/**
 * The fingerprint of a public key in OpenSSH's one-line form (`ssh-ed25519 AAAA… comment`).
 * Throws 400 when it is none.
 */
export function sshFingerprint(publicKey: string): string {
  if (publicKey.length > MAX_KEY) throw invalid(`the public key is longer than ${MAX_KEY} characters`);
  const [type, data] = publicKey.trim().split(/\s+/);
  if (type === undefined || data === undefined || !TYPES.test(type)) {
    throw invalid('failed to generate fingerprint: the key must be one line, "<type> <base64> <comment>"');
  }
  const blob = Buffer.from(data, 'base64');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(data) || firstString(blob) !== type) {
    throw invalid(`failed to generate fingerprint: the data is not that of a key of type ${type}`);
  }
  return fingerprintOf(blob);
}

export interface GeneratedKey {
  readonly publicKey: string;
  /** PEM */
  readonly privateKey: string;
  readonly fingerprint: string;
}

/** An RSA key of 2048 bits, as Nova generates before 2.92. The private half is not kept. */
export async function generateSshKey(comment: string): Promise<GeneratedKey> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  const { e, n } = publicKey.export({ format: 'jwk' });
  const numbers = [e, n].map((text) => mpint(Buffer.from(text ?? '', 'base64url')));
  const blob = Buffer.concat([sshString(Buffer.from('ssh-rsa')), ...numbers]);
  return {
    publicKey: `ssh-rsa ${blob.toString('base64')} ${comment.replaceAll(/\s+/g, '_')}`,
    privateKey: String(privateKey.export({ type: 'pkcs1', format: 'pem' })),
    fingerprint: fingerprintOf(blob),
  };
}
