import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fernet, InvalidTokenError } from './fernet.js';

// The vectors of the Fernet specification: generate.json, verify.json, invalid.json.
const KEY = 'cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=';
const TOKEN =
  'gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==';
const AT = Date.parse('1985-10-26T01:20:00-07:00');
const NOW = AT + 1_000;
const TTL = 60;

const INVALID: readonly (readonly [string, string])[] = [
  [
    'incorrect mac',
    'gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykQUFBQUFBQUFBQQ==',
  ],
  ['too short', 'gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPA=='],
  [
    'invalid base64',
    '%%%%%%%%%%%%%AECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==',
  ],
  [
    'payload size not multiple of block size',
    'gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPOm73QeoCk9uGib28Xe5vz6oxq5nmxbx_v7mrfyudzUm',
  ],
  [
    'payload padding error',
    'gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0ODz4LEpdELGQAad7aNEHbf-JkLPIpuiYRLQ3RtXatOYREu2FWke6CnJNYIbkuKNqOhw==',
  ],
  [
    'far-future time',
    'gAAAAAAdwStRAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAnja1xKYyhd-Y6mSkTOyTGJmw2Xc2a6kBd-iX9b_qXQcw==',
  ],
  [
    'expired',
    'gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==',
  ],
  [
    'incorrect IV',
    'gAAAAAAdwJ6xBQECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAkLhFLHpGtDBRLRTZeUfWgHSv49TF2AUEZ1TIvcZjK1zQ==',
  ],
];

describe('Fernet', () => {
  const fernet = new Fernet(KEY);

  it("makes the specification's token", () => {
    const iv = Uint8Array.from({ length: 16 }, (_, at) => at);
    expect(fernet.encrypt(Buffer.from('hello'), AT, iv)).toBe(TOKEN);
  });

  it("reads the specification's token, with and without padding", () => {
    expect(fernet.decrypt(TOKEN, NOW, TTL).toString()).toBe('hello');
    expect(fernet.decrypt(TOKEN.replaceAll('=', ''), NOW, TTL).toString()).toBe('hello');
  });

  it.each(INVALID)("refuses the specification's invalid token: %s", (name, token) => {
    const now = name === 'expired' ? AT + 62_000 : NOW;
    expect(() => fernet.decrypt(token, now, TTL)).toThrow(InvalidTokenError);
  });

  it('reads what it wrote, and nothing that was altered', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (message, where, flip) => {
          const token = fernet.encrypt(message, NOW);
          expect([...fernet.decrypt(token, NOW)]).toEqual([...message]);
          const bytes = Buffer.from(token, 'base64url');
          const at = where % bytes.length;
          bytes[at] = (bytes[at] ?? 0) ^ flip;
          expect(() => fernet.decrypt(bytes.toString('base64url'), NOW)).toThrow(InvalidTokenError);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('does not read the tokens of another key', () => {
    expect(() => new Fernet(Fernet.generateKey()).decrypt(TOKEN, NOW)).toThrow(InvalidTokenError);
    expect(() => new Fernet('short')).toThrow(RangeError);
  });
});
