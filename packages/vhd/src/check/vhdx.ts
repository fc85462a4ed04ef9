import { MIB, TIB } from '../bytes/integers.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import { corrupt, readExact } from '../io/random-access-file.js';
import type { TransferOptions } from '../transfer.js';
import { BAT_ENTRY_SIZE, batEntryCount } from '../vhdx/block-geometry.js';
import type { CurrentHeader } from '../vhdx/header.js';
import {
  decodeHeader,
  HEADER_OFFSETS,
  HEADER_SIZE,
  readCurrentHeader,
  updateHeaders,
} from '../vhdx/header.js';
import type { ActiveLog } from '../vhdx/log-replay.js';
import { findActiveLog, ReplayedView, replayLog } from '../vhdx/log-replay.js';
import type { VhdxMetadata } from '../vhdx/metadata.js';
import { parentLinkages, readMetadata } from '../vhdx/metadata.js';
import { locatorPaths } from '../vhdx/open.js';
import type { Regions } from '../vhdx/region-table.js';
import {
  BAT_REGION,
  decodeRegionTable,
  METADATA_REGION,
  isRegionTable,
  pickRegions,
  REGION_TABLE_OFFSETS,
  REGION_TABLE_SIZE,
} from '../vhdx/region-table.js';
import { diskTypeOf } from '../vhdx/vhdx-disk.js';
import { VHDX_SIGNATURE } from '../vhdx/vhdx-file.js';
import type { FileCheck, Findings, Repair } from './report.js';
import { NOTHING_KNOWN } from './report.js';
import { SpaceMap } from './space-map.js';
import type { Structure } from './vhdx-table.js';
import { checkVhdxTable } from './vhdx-table.js';

/** More than any VHDX of 64 TiB takes; what is said to lie beyond is taken for outside the file. */
const MAX_FILE_SIZE = 80 * TIB;

/** Checks a VHDX from its headers down to its table of blocks. Findings go to `findings`. */
export async function checkVhdx(
  file: RandomAccessFile,
  findings: Findings,
  options: TransferOptions,
): Promise<FileCheck> {
  const signature = await readUpTo(file, 0, 8);
  if (signature.toString('latin1') !== VHDX_SIGNATURE)
    findings.error('file-identifier-damaged', 'the signature of the file is missing', { offset: 0 });
  const repairs: Repair[] = [];
  const current = await checkHeaders(file, findings, repairs);
  if (current === undefined) return NOTHING_KNOWN;
  const log = await findings.guard('log-damaged', () => findActiveLog(file, current.header));
  const view = log === undefined ? file : new ReplayedView(file, log);
  if (log !== undefined) await checkLog(file, current, log, findings, repairs);
  const identifier = current.header.dataWriteGuid;
  const known: FileCheck = { ...NOTHING_KNOWN, needsReplay: log !== undefined, identifier, repairs };
  const regions = await checkRegions(file, view, findings, repairs);
  if (regions === undefined) return known;
  const metadata = await findings.guard('metadata-damaged', async () => {
    const complain = findings.complain('metadata-damaged');
    return (await readMetadata(view, regions.metadata, complain)).metadata;
  });
  if (metadata === undefined) return known;
  const found: FileCheck = { ...known, type: diskTypeOf(metadata), virtualSize: metadata.virtualSize };
  const parent = await checkLocator(metadata, file.path, findings);
  const blocks = await findings.guard('table-damaged', () =>
    checkBlocks({ view, current, regions, metadata }, findings, options),
  );
  return { ...found, ...blocks, ...(parent === undefined ? {} : { parent }) };
}

async function readUpTo(file: RandomAccessFile, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, await file.read(bytes, offset));
}

async function checkHeaders(
  file: RandomAccessFile,
  findings: Findings,
  repairs: Repair[],
): Promise<CurrentHeader | undefined> {
  const current = await findings.guard('header-damaged', () => readCurrentHeader(file));
  if (current === undefined) return undefined;
  const valid: bigint[] = [];
  for (const offset of HEADER_OFFSETS) {
    const bytes = await readExact(file, offset, HEADER_SIZE, 'the VHDX header');
    const header = decodeHeader(bytes, file.path, offset);
    if (header !== undefined) valid.push(header.sequenceNumber);
    else
      findings.warning(
        'header-damaged',
        `one of the two VHDX headers has no valid ${wrongPart(bytes, 'head')}`,
        { offset },
      );
  }
  const [first, second] = valid;
  if (first === second && second !== undefined) {
    findings.warning('header-damaged', `both VHDX headers have the sequence number ${first}`, {
      offset: HEADER_OFFSETS[1],
    });
  }
  if (second === undefined || first === second) {
    repairs.push({
      name: 'header-rewritten',
      run: async () => void (await updateHeaders(file, await readCurrentHeader(file), {})),
    });
  }
  return current;
}

function wrongPart(bytes: Buffer, signature: string): string {
  return bytes.toString('latin1', 0, signature.length) === signature ? 'checksum' : 'signature';
}

/** The log is whole; the file may still be too short for it. */
async function checkLog(
  file: RandomAccessFile,
  { header }: CurrentHeader,
  log: ActiveLog,
  findings: Findings,
  repairs: Repair[],
): Promise<void> {
  const offset = header.logOffset;
  const size = await file.size();
  if (size < log.flushedFileOffset) {
    findings.error('file-cut-short', `the file has ${size} of at least ${log.flushedFileOffset} bytes`, {
      offset: size,
    });
    return;
  }
  const [first, last] = [log.entries[0], log.entries.at(-1)];
  findings.warning(
    'log-not-empty',
    `the log holds ${log.entries.length} entries (${first?.sequenceNumber} to ${last?.sequenceNumber}) that must be brought to their places`,
    { offset },
  );
  repairs.push({
    name: 'log-replayed',
    run: async () => {
      const current = await readCurrentHeader(file);
      const active = await findActiveLog(file, current.header);
      if (active !== undefined) await replayLog(file, current, active);
    },
  });
}

/** Both copies of the region table; the first valid one counts, as when a disk is opened. */
async function checkRegions(
  file: RandomAccessFile,
  view: RandomAccessFile,
  findings: Findings,
  repairs: Repair[],
): Promise<Regions | undefined> {
  const [first, second] = [await readTable(view, 0), await readTable(view, 1)];
  const used = first.isValid ? first : second;
  if (!used.isValid) {
    findings.error('region-table-damaged', 'neither of the two region tables is valid', {
      offset: first.offset,
    });
    return undefined;
  }
  const other = used === first ? second : first;
  if (!other.isValid || !other.bytes.equals(used.bytes)) {
    const why = other.isValid ? 'differs from the other' : `has no valid ${wrongPart(other.bytes, 'regi')}`;
    findings.warning('region-table-damaged', `one of the two region tables ${why}`, { offset: other.offset });
  }
  const regions = await findings.guard('region-table-damaged', () => {
    const all = decodeRegionTable(used.bytes, file.path, used.offset) ?? [];
    return pickRegions(all, file.path, used.offset, findings.complain('region-table-damaged'));
  });
  if (regions !== undefined && (!other.isValid || !other.bytes.equals(used.bytes))) {
    repairs.push({ name: 'region-table-rewritten', run: () => file.write(used.bytes, other.offset) });
  }
  return regions;
}

interface TableCopy {
  readonly offset: number;
  readonly bytes: Buffer;
  /** Signature and checksum are right. */
  readonly isValid: boolean;
}

async function readTable(view: RandomAccessFile, copy: 0 | 1): Promise<TableCopy> {
  const offset = REGION_TABLE_OFFSETS[copy];
  const bytes = await readUpTo(view, offset, REGION_TABLE_SIZE);
  return { offset, bytes, isValid: bytes.length === REGION_TABLE_SIZE && isRegionTable(bytes) };
}

async function checkLocator(
  metadata: VhdxMetadata,
  path: string,
  findings: Findings,
): Promise<FileCheck['parent']> {
  const locator = metadata.parentLocator;
  if (locator === undefined) return undefined;
  const identifiers = await findings.guard('parent-locator-damaged', () => parentLinkages(locator, path));
  const paths = locatorPaths(locator);
  if (paths.length === 0) findings.error('parent-locator-damaged', 'the parent locator holds no path');
  return identifiers === undefined ? undefined : { identifiers, paths };
}

interface VhdxStructures {
  readonly view: RandomAccessFile;
  readonly current: CurrentHeader;
  readonly regions: Regions;
  readonly metadata: VhdxMetadata;
}

async function checkBlocks(
  { view, current, regions, metadata }: VhdxStructures,
  findings: Findings,
  options: TransferOptions,
): Promise<Pick<FileCheck, 'allocatedBlocks' | 'leakedBytes'>> {
  const { bat } = regions;
  if (batEntryCount(metadata) * BAT_ENTRY_SIZE > bat.length)
    throw corrupt(
      view.path,
      bat.offset,
      `the block allocation table is too small for ${metadata.virtualSize} bytes`,
    );
  const fileSize = await view.size();
  const known = Math.min(fileSize, MAX_FILE_SIZE);
  const space = new SpaceMap(Math.ceil(known / MIB));
  const structures = structuresOf(current, regions);
  for (const structure of structures) claimStructure(structure, space, known, findings);
  const table = { view, fileSize: known, bat, metadata, space, structures, findings };
  const { allocatedBlocks, leakedBytes } = await checkVhdxTable(table, options);
  return { allocatedBlocks, leakedBytes: leakedBytes + fileSize - known };
}

function structuresOf({ header }: CurrentHeader, regions: Regions): readonly Structure[] {
  const names = new Map([
    [BAT_REGION, 'the block allocation table'],
    [METADATA_REGION, 'the metadata region'],
  ]);
  return [
    { name: 'the header section', offset: 0, length: MIB },
    ...regions.all.map(({ guid, offset, length }) => ({
      name: names.get(guid) ?? `the region ${guid}`,
      offset,
      length,
    })),
    { name: 'the log', offset: header.logOffset, length: header.logLength },
  ];
}

/** That regions overlap one another was told when they were read. */
function claimStructure(
  { name, offset, length }: Structure,
  space: SpaceMap,
  fileSize: number,
  findings: Findings,
): void {
  const end = offset + length;
  if (end > fileSize)
    findings.error('file-cut-short', `${name} ends at ${end}, past the end of the file`, { offset });
  else if (space.claim(offset / MIB, length / MIB) !== undefined && name === 'the log')
    findings.error('log-damaged', 'the log lies where a region lies already', { offset });
}
