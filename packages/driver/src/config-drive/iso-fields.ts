/** Bytes of a logical sector, and of a logical block. */
export const SECTOR = 2048;

export const sectorsOf = (bytes: number): number => Math.ceil(bytes / SECTOR);

/** Source: ECMA-119, 7.2.3: least significant byte first, then the same again the other way round. */
export function both16(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16LE(value, 0);
  bytes.writeUInt16BE(value, 2);
  return bytes;
}

/** Source: ECMA-119, 7.3.3. */
export function both32(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(value, 0);
  bytes.writeUInt32BE(value, 4);
  return bytes;
}

/** Text of a fixed length, filled up with blanks. */
export function padded(value: string, length: number, joliet = false): Buffer {
  const bytes = Buffer.alloc(length, joliet ? Buffer.from([0, 0x20]) : 0x20);
  bytes.set((joliet ? ucs2(value) : Buffer.from(value, 'latin1')).subarray(0, length));
  return bytes;
}

/** Source: Joliet Specification 1.0: names are UCS-2, most significant byte first. */
export function ucs2(value: string): Buffer {
  return Buffer.from(value, 'utf16le').swap16();
}

/** Seven bytes, UTC. Source: ECMA-119, 9.1.5. */
export function shortDate(date: Date): Buffer {
  return Buffer.from([
    date.getUTCFullYear() - 1900,
    date.getUTCMonth() + 1,
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
    0,
  ]);
}

/** Seventeen bytes, UTC. Source: ECMA-119, 8.4.26.1. */
export function longDate(date: Date | undefined): Buffer {
  const digits = date === undefined ? '0'.repeat(16) : date.toISOString().replaceAll(/\D/g, '').slice(0, 16);
  return Buffer.concat([Buffer.from(digits, 'latin1'), Buffer.from([0])]);
}
