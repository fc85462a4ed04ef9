import type { DiskFormat, DiskType, ResolveParent } from '../disk.js';
import type { Complain } from '../errors.js';
import { VhdError } from '../errors.js';
import type { TransferOptions } from '../transfer.js';

/** What a finding is about, for programs. */
export type CheckCode =
  /** Neither VHD nor VHDX. */
  | 'unknown-format'
  /** VHDX: the identifier at the start; a header; the log; a region table; the metadata. */
  | 'file-identifier-damaged'
  | 'header-damaged'
  | 'log-damaged'
  | 'log-not-empty'
  | 'region-table-damaged'
  | 'metadata-damaged'
  /** VHD: the footer, its copy at the start, the dynamic header, the geometry. */
  | 'footer-damaged'
  | 'footer-copy-damaged'
  | 'footers-differ'
  | 'dynamic-header-damaged'
  | 'geometry-wrong'
  /** What the disk needs and this library does not know. */
  | 'unsupported'
  /** The table of blocks: it does not fit; an entry says what cannot be; a block lies past the file's end, or on another. */
  | 'table-damaged'
  | 'block-state'
  | 'block-outside-file'
  | 'block-overlap'
  | 'block-missing'
  | 'bitmap-missing'
  | 'bitmap-unexpected'
  /** The file ends before what it must hold. */
  | 'file-cut-short'
  /** Differencing disks: what names the parent; the parent itself. */
  | 'parent-locator-damaged'
  | 'parent-missing'
  | 'parent-mismatch'
  | 'parent-damaged'
  | 'chain-too-long';

/** One thing that is wrong. */
export interface CheckFinding {
  readonly code: CheckCode;
  /** `error`: data is lost or the disk cannot be used as it is. `warning`: it can, and something should be put right. */
  readonly severity: 'error' | 'warning';
  /** Where in the file, bytes. */
  readonly offset?: number;
  /** The block of the disk that it is about, from 0. */
  readonly block?: number;
  /** What is wrong, without the place. */
  readonly message: string;
}

/** What a repair did. */
export type CheckRepair =
  | 'log-replayed'
  | 'header-rewritten'
  | 'region-table-rewritten'
  | 'footer-rewritten'
  | 'footer-copy-rewritten';

/** Everything that was found; plain data. Sizes in bytes. */
export interface CheckReport {
  readonly path: string;
  /** Not there when the content is neither. */
  readonly format?: DiskFormat;
  /** Not there when the file is too damaged to tell. */
  readonly type?: DiskType;
  readonly virtualSize?: number;
  readonly fileSize: number;
  /** No finding is an error, here and in the parents that were looked at. */
  readonly whole: boolean;
  /** VHDX: the log holds changes. Everything else is told as it will be when they are in their places. */
  readonly needsReplay: boolean;
  /** Blocks that the table places in the file (a fixed VHD has none). */
  readonly allocatedBlocks: number;
  /** Bytes of the file that nothing owns. */
  readonly leakedBytes: number;
  readonly findings: readonly CheckFinding[];
  /** Findings past the first thousand are counted only. */
  readonly findingsLeftOut: number;
  readonly repairs: readonly CheckRepair[];
  /** Of a differencing disk, when `resolveParent` was given and led to one. */
  readonly parent?: CheckReport;
}

export interface CheckOptions extends TransferOptions {
  /**
   * Puts right what can be without a choice: replays the log, writes the damaged one of two copies (VHDX header, region
   * table, VHD footer) anew from the good one. Blocks are never touched, nor are parents.
   */
  readonly repair?: boolean;
  /** Where the parents are; without it they are not looked at. */
  readonly resolveParent?: ResolveParent;
}

export const MAX_FINDINGS = 1000;

/** Collects findings. */
export class Findings {
  readonly list: CheckFinding[] = [];
  leftOut = 0;
  hasError = false;

  add(finding: CheckFinding): void {
    this.hasError ||= finding.severity === 'error';
    if (this.list.length < MAX_FINDINGS) this.list.push(finding);
    else this.leftOut += 1;
  }

  /** Counts a finding that would not be listed anyway. */
  leaveOut(): void {
    this.hasError = true;
    this.leftOut += 1;
  }

  error(code: CheckCode, message: string, place: { offset?: number; block?: number } = {}): void {
    this.add({ code, severity: 'error', ...place, message });
  }

  warning(code: CheckCode, message: string, place: { offset?: number; block?: number } = {}): void {
    this.add({ code, severity: 'warning', ...place, message });
  }

  /** Notes what a reader of structures complains of as findings of one code. */
  complain(code: CheckCode, severity: CheckFinding['severity'] = 'error'): Complain {
    return (error) => {
      const place = error.offset === undefined ? {} : { offset: error.offset };
      const message = error.reason ?? error.message.replace(error.path ?? '', 'the file').replace(/\.$/, '');
      const isUnknown = error.code === 'VHD_UNSUPPORTED';
      this.add({ code: isUnknown ? 'unsupported' : code, severity, ...place, message });
    };
  }

  /** Runs a reader; damage that it throws becomes a finding and undefined. Other failures (of the file itself) go on. */
  async guard<T>(
    code: CheckCode,
    task: () => T | Promise<T>,
    severity: CheckFinding['severity'] = 'error',
  ): Promise<T | undefined> {
    try {
      return await task();
    } catch (error) {
      if (!(error instanceof VhdError) || error.code === 'VHD_ABORTED') throw error;
      this.complain(code, severity)(error);
      return undefined;
    }
  }
}

/** What checking one file of a format gives; the rest of the report is the same for both. */
export interface FileCheck {
  readonly type?: DiskType;
  readonly virtualSize?: number;
  readonly needsReplay: boolean;
  readonly allocatedBlocks: number;
  readonly leakedBytes: number;
  /** What a child of this disk must name. */
  readonly identifier?: string;
  /** What this disk names as its parent. */
  readonly parent?: { readonly identifiers: readonly string[]; readonly paths: readonly string[] };
  /** What can be put right, in the order in which it is to be done. */
  readonly repairs: readonly Repair[];
}

export interface Repair {
  readonly name: CheckRepair;
  readonly run: () => Promise<void>;
}

export const NOTHING_KNOWN: FileCheck = {
  needsReplay: false,
  allocatedBlocks: 0,
  leakedBytes: 0,
  repairs: [],
};
