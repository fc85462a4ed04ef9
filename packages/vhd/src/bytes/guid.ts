import { randomUUID } from 'node:crypto';
import { VhdError } from '../errors.js';

const PATTERN = /^\{?([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})\}?$/i;

export const ZERO_GUID = '00000000-0000-0000-0000-000000000000';

/** A new random GUID, upper case, no braces. */
export function newGuid(): string {
  return randomUUID().toUpperCase();
}

/** @throws VhdError `VHD_INVALID_ARGUMENT` when `text` is not a GUID; braces are allowed. */
export function normaliseGuid(text: string): string {
  const parts = PATTERN.exec(text);
  if (parts === null) throw new VhdError('VHD_INVALID_ARGUMENT', `${JSON.stringify(text)} is not a GUID.`);
  return parts.slice(1).join('-').toUpperCase();
}

/** Sixteen bytes with the first three fields little-endian, as VHDX stores GUIDs (MS-DTYP 2.3.4.2). */
export function guidToBytes(guid: string): Buffer {
  return swapFields(uuidToBytes(guid));
}

export function guidFromBytes(bytes: Uint8Array): string {
  return uuidFromBytes(swapFields(Buffer.from(bytes.subarray(0, 16))));
}

/** Sixteen bytes in the order in which they are written, as VHD stores its unique id. */
export function uuidToBytes(guid: string): Buffer {
  return Buffer.from(normaliseGuid(guid).replaceAll('-', ''), 'hex');
}

export function uuidFromBytes(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.subarray(0, 16)).toString('hex').toUpperCase();
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

function swapFields(bytes: Buffer): Buffer {
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}
