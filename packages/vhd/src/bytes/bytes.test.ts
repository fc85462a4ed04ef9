import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c, crc32cWithout } from './crc32c.js';
import { guidFromBytes, guidToBytes, normaliseGuid, uuidFromBytes, uuidToBytes } from './guid.js';

/** The definition, bit by bit. */
function slowCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

describe('crc32c', () => {
  it('gives the check values of RFC 3720 B.4 and of the Rocksoft catalogue', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  });

  it('is what the definition says, in one part or several', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (bytes, cut) => {
        expect(crc32c(bytes)).toBe(slowCrc32c(bytes));
        expect(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut)))).toBe(slowCrc32c(bytes));
      }),
    );
  });

  it('counts its own field as zeros', () => {
    const bytes = Buffer.from('head....rest of it');
    const zeroed = Buffer.from(bytes).fill(0, 4, 8);
    expect(crc32cWithout(bytes, 4)).toBe(crc32c(zeroed));
  });
});

describe('GUIDs', () => {
  it('have their first three fields swapped in VHDX and nothing in VHD', () => {
    const guid = '2DC27766-F623-4200-9D64-115E9BFD4A08';
    expect(guidToBytes(guid).toString('hex')).toBe('6677c22d23f600429d64115e9bfd4a08');
    expect(uuidToBytes(guid).toString('hex')).toBe('2dc27766f62342009d64115e9bfd4a08');
  });

  it('come back as they were', () => {
    fc.assert(
      fc.property(fc.uuid(), (uuid) => {
        const guid = normaliseGuid(`{${uuid}}`);
        expect(guidFromBytes(guidToBytes(guid))).toBe(guid);
        expect(uuidFromBytes(uuidToBytes(guid))).toBe(guid);
      }),
    );
  });

  it('are refused when they are none', () => {
    expect(() => normaliseGuid('{not a guid}')).toThrow(/is not a GUID/);
  });
});
