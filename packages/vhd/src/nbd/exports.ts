import type { Disk } from '../disk.js';
import { TransmissionFlag } from './protocol.js';

export interface NbdExportOptions {
  /** Refuse writes although the disk would take them. A read-only disk is always exported so. */
  readonly readOnly?: boolean;
  /** Shown to clients that list the exports. */
  readonly description?: string;
}

export interface NbdExport {
  readonly name: string;
  readonly disk: Disk;
  readonly readOnly: boolean;
  readonly description: string;
}

export function transmissionFlags(served: NbdExport): number {
  const flags = TransmissionFlag;
  // A flush on any connection covers the whole disk, so clients may spread over several.
  const common = flags.hasFlags | flags.sendFlush | flags.sendFua | flags.canMultiConn | flags.sendCache;
  return served.readOnly ? common | flags.readOnly : common | flags.sendTrim | flags.sendWriteZeroes;
}
