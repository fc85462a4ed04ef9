import type { DiskType } from './disk.js';
import type { RandomAccessFile } from './io/random-access-file.js';
import { openFile } from './io/random-access-file.js';
import { VHDX_SIGNATURE } from './vhdx/vhdx-file.js';

/** What a file is by its content. `raw`: nothing that is known. */
export type FileFormat = 'vhd' | 'vhdx' | 'iso' | 'qcow2' | 'qcow' | 'vmdk' | 'vdi' | 'raw';

export interface RecognisedFile {
  readonly format: FileFormat;
  /** For VHD, whose footer tells it at once. */
  readonly type?: DiskType;
}

/** Signatures at fixed places. VHD comes last: its copy at the start of a file is looked at with the footer. */
const SIGNATURES: readonly {
  readonly format: FileFormat;
  readonly offset: number;
  readonly bytes: Buffer;
}[] = [
  { format: 'vhdx', offset: 0, bytes: Buffer.from(VHDX_SIGNATURE, 'latin1') },
  { format: 'qcow2', offset: 0, bytes: Buffer.from('514649fb00000002', 'hex') },
  { format: 'qcow2', offset: 0, bytes: Buffer.from('514649fb00000003', 'hex') },
  { format: 'qcow', offset: 0, bytes: Buffer.from('514649fb00000001', 'hex') },
  { format: 'vmdk', offset: 0, bytes: Buffer.from('KDMV', 'latin1') },
  { format: 'vmdk', offset: 0, bytes: Buffer.from('COWD', 'latin1') },
  { format: 'vmdk', offset: 0, bytes: Buffer.from('# Disk DescriptorFile', 'latin1') },
  { format: 'vdi', offset: 64, bytes: Buffer.from('7f10dabe', 'hex') },
  { format: 'iso', offset: 32769, bytes: Buffer.from('CD001', 'latin1') },
];

const VHD_COOKIE = Buffer.from('conectix', 'latin1');
const VHD_TYPES: ReadonlyMap<number, DiskType> = new Map([
  [2, 'fixed'],
  [3, 'dynamic'],
  [4, 'differencing'],
]);

/**
 * Tells what a file is by its content, never by its name.
 * @throws Node's own errors when the file cannot be read.
 */
export async function recogniseFile(path: string): Promise<RecognisedFile> {
  const file = await openFile(path, 'read');
  try {
    return await recognise(file);
  } finally {
    await file.close();
  }
}

/** {@link recogniseFile} for an open file. */
export async function recognise(file: RandomAccessFile): Promise<RecognisedFile> {
  const head = await readUpTo(file, 0, 512);
  for (const { format, offset, bytes } of SIGNATURES) {
    if (offset < head.length && isAt(head, offset, bytes)) return { format };
  }
  // A VHD wins over what a guest wrote into it: a fixed VHD of an ISO image starts like one.
  const tail = await readUpTo(file, Math.max(0, (await file.size()) - 512), 512);
  for (const [bytes, offset] of [
    [tail, 0],
    [tail, 1],
    [head, 0],
  ] as const) {
    if (isAt(bytes, offset, VHD_COOKIE)) return vhd(bytes, offset);
  }
  for (const { format, offset, bytes } of SIGNATURES) {
    if (offset < head.length) continue;
    if ((await readUpTo(file, offset, bytes.length)).equals(bytes)) return { format };
  }
  return { format: 'raw' };
}

function isAt(bytes: Buffer, offset: number, signature: Buffer): boolean {
  return bytes.subarray(offset, offset + signature.length).equals(signature);
}

function vhd(bytes: Buffer, offset: number): RecognisedFile {
  const type = bytes.length >= offset + 64 ? VHD_TYPES.get(bytes.readUInt32BE(offset + 60)) : undefined;
  return type === undefined ? { format: 'vhd' } : { format: 'vhd', type };
}

async function readUpTo(file: RandomAccessFile, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, await file.read(bytes, offset));
}
