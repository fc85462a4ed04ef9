import type { DiskFiles } from '../disk-files.js';
import { RawFiles } from '../raw-files.js';
import { VhdxFiles } from '../vhdx-files.js';

/** What `churn.ts` does. `fill`: makes a volume with the image's content. */
export interface Step {
  readonly act: 'add' | 'fill' | 'grow' | 'snapshot' | 'copy' | 'delete';
  readonly id: string;
  /** Afterwards. */
  readonly sizeGb: number;
}

export const volumeId = (number: number): string =>
  `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`;

export const DISK_FILES: Readonly<Record<'raw' | 'vhdx', () => DiskFiles>> = {
  raw: () => new RawFiles(),
  vhdx: () => new VhdxFiles(),
};
