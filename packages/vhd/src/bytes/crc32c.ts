/** Reflected Castagnoli polynomial, as MS-VHDX 2.2.2 and 2.3 demand for headers, region tables and log entries. */
const POLYNOMIAL = 0x82f63b78;

/** Eight tables of 256 words: table k advances a byte through k further zero bytes (slicing by eight). */
const TABLES = makeTables();

function makeTables(): Uint32Array {
  const tables = new Uint32Array(8 * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let value = byte;
    for (let bit = 0; bit < 8; bit += 1) value = (value & 1) === 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    tables[byte] = value >>> 0;
  }
  for (let slot = 256; slot < tables.length; slot += 1) {
    const previous = word(tables, slot - 256);
    tables[slot] = ((previous >>> 8) ^ word(tables, previous & 0xff)) >>> 0;
  }
  return tables;
}

function word(tables: Uint32Array, index: number): number {
  return tables[index] ?? 0;
}

/** CRC-32C of `bytes`; `previous` continues an earlier part. */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  let crc = ~previous;
  let at = 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = bytes.length - (bytes.length % 8);
  for (; at < wide; at += 8) {
    const low = view.getUint32(at, true) ^ crc;
    const high = view.getUint32(at + 4, true);
    crc =
      word(TABLES, 0x700 | (low & 0xff)) ^
      word(TABLES, 0x600 | ((low >>> 8) & 0xff)) ^
      word(TABLES, 0x500 | ((low >>> 16) & 0xff)) ^
      word(TABLES, 0x400 | (low >>> 24)) ^
      word(TABLES, 0x300 | (high & 0xff)) ^
      word(TABLES, 0x200 | ((high >>> 8) & 0xff)) ^
      word(TABLES, 0x100 | ((high >>> 16) & 0xff)) ^
      word(TABLES, high >>> 24);
  }
  for (; at < bytes.length; at += 1) crc = (crc >>> 8) ^ word(TABLES, (crc ^ view.getUint8(at)) & 0xff);
  return ~crc >>> 0;
}

/** CRC-32C of a structure whose own checksum field (4 bytes at `field`) counts as zeros. */
export function crc32cWithout(bytes: Uint8Array, field: number): number {
  const head = crc32c(bytes.subarray(0, field));
  const hole = crc32c(new Uint8Array(4), head);
  return crc32c(bytes.subarray(field + 4), hole);
}
