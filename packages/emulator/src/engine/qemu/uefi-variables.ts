/**
 * The variables in a UEFI firmware's flash image. Source: EDK II, MdePkg/Include/Pi/PiFirmwareVolume.h (volume header) and
 * MdeModulePkg/Include/Guid/VariableFormat.h (store and record headers); integers are little-endian.
 */
export interface UefiVariable {
  /** Lower case. */
  readonly vendor: string;
  readonly name: string;
  readonly attributes: number;
  /** Monotonic count, time stamp and public key index, as they are. */
  readonly authentication: Buffer;
  readonly data: Buffer;
}

/** The image is no variable store that can be read or written. */
export class VariableStoreError extends Error {
  readonly code = 'UEFI_VARIABLES';
  constructor(message: string) {
    super(message);
    this.name = 'VariableStoreError';
  }
}

const VOLUME_SIGNATURE_AT = 40;
const VOLUME_HEADER_LENGTH_AT = 48;
/** gEfiAuthenticatedVariableGuid */
const AUTHENTICATED = 'aaf32c78-947b-439a-a180-2e144ec37792';
const STORE_HEADER_BYTES = 28;
const RECORD_HEADER_BYTES = 60;
const RECORD_START = 0x55aa;
/** Bits that are cleared one after another as a record is written, replaced and deleted. */
const ADDED = 0x3f;
const BEING_REPLACED = 0x3e;
const ERASED = 0xff;
const AUTHENTICATION_AT = 8;
const AUTHENTICATION_BYTES = 28;

/** @throws VariableStoreError */
export function readVariables(image: Buffer): readonly UefiVariable[] {
  const store = storeOf(image);
  const found = new Map<string, { readonly variable: UefiVariable; readonly state: number }>();
  let at = STORE_HEADER_BYTES;
  while (at + RECORD_HEADER_BYTES <= store.length && store.readUInt16LE(at) === RECORD_START) {
    const nameEnd = at + RECORD_HEADER_BYTES + store.readUInt32LE(at + 36);
    const end = nameEnd + store.readUInt32LE(at + 40);
    if (end > store.length) throw new VariableStoreError('A UEFI variable reaches beyond its store.');
    const state = store[at + 2] ?? ERASED;
    const variable: UefiVariable = {
      vendor: guidAt(store, at + 44),
      name: store.toString('utf16le', at + RECORD_HEADER_BYTES, nameEnd).replace(/\0+$/, ''),
      attributes: store.readUInt32LE(at + 4),
      authentication: Buffer.from(
        store.subarray(at + AUTHENTICATION_AT, at + AUTHENTICATION_AT + AUTHENTICATION_BYTES),
      ),
      data: Buffer.from(store.subarray(nameEnd, end)),
    };
    const key = `${variable.vendor} ${variable.name}`;
    // The old value counts only while there is no new one.
    if (state === ADDED || (state === BEING_REPLACED && found.get(key)?.state !== ADDED))
      found.set(key, { variable, state });
    at = align(end);
  }
  return [...found.values()].map(({ variable }) => variable);
}

/** A copy of the image that holds these variables and no others. @throws VariableStoreError when they do not fit */
export function writeVariables(image: Buffer, variables: readonly UefiVariable[]): Buffer {
  const written = Buffer.from(image);
  const store = storeOf(written);
  const records = Buffer.concat(variables.map((variable) => recordOf(variable)));
  if (STORE_HEADER_BYTES + records.length > store.length)
    throw new VariableStoreError('The UEFI variables do not fit into their store.');
  store.fill(ERASED, STORE_HEADER_BYTES);
  records.copy(store, STORE_HEADER_BYTES);
  return written;
}

function recordOf(variable: UefiVariable): Buffer {
  const name = Buffer.from(`${variable.name}\0`, 'utf16le');
  const size = RECORD_HEADER_BYTES + name.length + variable.data.length;
  const record = Buffer.alloc(align(size), ERASED);
  record.writeUInt16LE(RECORD_START, 0);
  record[2] = ADDED;
  record[3] = 0;
  record.writeUInt32LE(variable.attributes, 4);
  variable.authentication.copy(record, AUTHENTICATION_AT);
  record.writeUInt32LE(name.length, 36);
  record.writeUInt32LE(variable.data.length, 40);
  guidBytes(variable.vendor).copy(record, 44);
  name.copy(record, RECORD_HEADER_BYTES);
  variable.data.copy(record, RECORD_HEADER_BYTES + name.length);
  return record;
}

/** The part of the image that is the store, sharing its memory. */
function storeOf(image: Buffer): Buffer {
  if (image.toString('latin1', VOLUME_SIGNATURE_AT, VOLUME_SIGNATURE_AT + 4) !== '_FVH')
    throw new VariableStoreError('There is no firmware volume.');
  const start = image.readUInt16LE(VOLUME_HEADER_LENGTH_AT);
  if (start + STORE_HEADER_BYTES > image.length || guidAt(image, start) !== AUTHENTICATED)
    throw new VariableStoreError('There is no store of authenticated UEFI variables.');
  const size = image.readUInt32LE(start + 16);
  if (size < STORE_HEADER_BYTES || start + size > image.length)
    throw new VariableStoreError('The store of UEFI variables is cut short.');
  return image.subarray(start, start + size);
}

const align = (position: number): number => Math.ceil(position / 4) * 4;

/** EFI_GUID: the first three fields are little-endian integers. */
export function guidAt(bytes: Buffer, at: number): string {
  const fields = [bytes.readUInt32LE(at), bytes.readUInt16LE(at + 4), bytes.readUInt16LE(at + 6)];
  const [first = '', second = '', third = ''] = fields.map((field, index) =>
    field.toString(16).padStart(index === 0 ? 8 : 4, '0'),
  );
  const rest = bytes.toString('hex', at + 8, at + 16);
  return [first, second, third, rest.slice(0, 4), rest.slice(4)].join('-');
}

function guidBytes(guid: string): Buffer {
  const bytes = Buffer.from(guid.replaceAll('-', ''), 'hex');
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}
