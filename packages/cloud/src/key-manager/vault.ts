import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { readOrCreateSecret } from '../kernel/secrets.js';

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** Encrypts payloads with a key that stands in a file of its own, so that the database alone tells no secret. */
export interface Vault {
  /** `id`: what the payload belongs to; another's does not open. */
  seal(id: string, payload: Buffer): Promise<Buffer>;
  open(id: string, sealed: Buffer): Promise<Buffer>;
}

export function createVault(stateDir: string): Vault {
  let reading: Promise<Buffer> | undefined;
  const key = (): Promise<Buffer> =>
    (reading ??= readOrCreateSecret(stateDir, 'key-manager-key', () =>
      randomBytes(KEY_BYTES).toString('base64'),
    ).then((text) => Buffer.from(text, 'base64')));
  return {
    async seal(id, payload) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv(ALGORITHM, await key(), iv).setAAD(Buffer.from(id));
      const sealed = Buffer.concat([cipher.update(payload), cipher.final()]);
      return Buffer.concat([iv, cipher.getAuthTag(), sealed]);
    },
    async open(id, sealed) {
      const iv = sealed.subarray(0, IV_BYTES);
      const decipher = createDecipheriv(ALGORITHM, await key(), iv, { authTagLength: TAG_BYTES })
        .setAAD(Buffer.from(id))
        .setAuthTag(sealed.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
      return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]);
    },
  };
}
