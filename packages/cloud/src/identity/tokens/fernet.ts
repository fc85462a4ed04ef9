import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** Not a token made with this key, or an altered one. Says nothing of why, as the reason would help only a forger. */
export class InvalidTokenError extends Error {
  readonly code = 'INVALID_TOKEN';
  constructor() {
    super('The token is not valid.');
    this.name = 'InvalidTokenError';
  }
}

const VERSION = 0x80;
const HEADER = 9;
const IV = 16;
const MAC = 32;
/** Seconds a token may come from the future (Fernet specification, "Verifying"). */
const MAX_CLOCK_SKEW = 60;
const BASE64URL = /^[A-Za-z0-9_-]+={0,2}$/;
/** No token of ours is near this long: what is longer is not decoded. */
const MAX_TOKEN_LENGTH = 8_192;

/**
 * Fernet, the authenticated encryption of Keystone's tokens (github.com/fernet/spec, Spec.md): AES-128-CBC, then HMAC-SHA256
 * over version, time, IV and ciphertext.
 */
export class Fernet {
  readonly #signing: Buffer;
  readonly #encryption: Buffer;

  /** @param key 32 bytes in base64url: signing key, then encryption key. */
  constructor(key: string) {
    const bytes = Buffer.from(key, 'base64url');
    if (bytes.length !== 32) throw new RangeError('A Fernet key is 32 bytes in base64url.');
    this.#signing = bytes.subarray(0, 16);
    this.#encryption = bytes.subarray(16);
  }

  static generateKey(): string {
    return `${randomBytes(32).toString('base64url')}=`;
  }

  /** @param now milliseconds since 1970. @param iv only for the specification's vectors. */
  encrypt(message: Uint8Array, now: number = Date.now(), iv: Uint8Array = randomBytes(IV)): string {
    const header = Buffer.alloc(HEADER);
    header[0] = VERSION;
    header.writeBigUInt64BE(BigInt(Math.floor(now / 1000)), 1);
    const cipher = createCipheriv('aes-128-cbc', this.#encryption, iv);
    const signed = Buffer.concat([header, iv, cipher.update(message), cipher.final()]);
    const bytes = Buffer.concat([signed, this.#mac(signed)]);
    return bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_');
  }

  /**
   * @param ttlSeconds oldest age accepted; left out: any.
   * @throws InvalidTokenError
   */
  decrypt(token: string, now: number = Date.now(), ttlSeconds?: number): Buffer {
    if (token.length > MAX_TOKEN_LENGTH || !BASE64URL.test(token)) throw new InvalidTokenError();
    const bytes = Buffer.from(token, 'base64url');
    const cipherLength = bytes.length - HEADER - IV - MAC;
    if (cipherLength < 16 || cipherLength % 16 !== 0 || bytes[0] !== VERSION) throw new InvalidTokenError();
    const signed = bytes.subarray(0, -MAC);
    if (!timingSafeEqual(this.#mac(signed), bytes.subarray(-MAC))) throw new InvalidTokenError();
    const age = Math.floor(now / 1000) - Number(bytes.readBigUInt64BE(1));
    if (age < -MAX_CLOCK_SKEW || (ttlSeconds !== undefined && age > ttlSeconds))
      throw new InvalidTokenError();
    const decipher = createDecipheriv('aes-128-cbc', this.#encryption, signed.subarray(HEADER, HEADER + IV));
    try {
      return Buffer.concat([decipher.update(signed.subarray(HEADER + IV)), decipher.final()]);
    } catch {
      throw new InvalidTokenError();
    }
  }

  #mac(signed: Uint8Array): Buffer {
    return createHmac('sha256', this.#signing).update(signed).digest();
  }
}
