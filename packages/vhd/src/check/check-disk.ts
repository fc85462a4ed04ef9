import type { ResolveParent } from '../disk.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import { openFile } from '../io/random-access-file.js';
import { MAX_CHAIN } from '../open.js';
import { openIfThere } from '../parent.js';
import { recognise } from '../recognise.js';
import type { TransferOptions } from '../transfer.js';
import { checkAborted } from '../transfer.js';
import { HEADER_OFFSETS } from '../vhdx/header.js';
import type { CheckOptions, CheckReport, CheckRepair, FileCheck } from './report.js';
import { Findings, NOTHING_KNOWN } from './report.js';
import { checkVhd } from './vhd.js';
import { checkVhdx } from './vhdx.js';

/** A repair that does not bring an end to what it repairs is not tried again. */
const MAX_ROUNDS = 3;

/**
 * Finds everything that is wrong with a VHD or VHDX and where, without reading its data. Whatever the file holds, the
 * answer is a report: damage never throws. Time grows with the table of blocks (seconds for 64 TiB in the smallest
 * blocks), memory is bounded (VHDX: 10 MiB for the map of the file, and a log of 64 MiB at most; VHD: see
 * `checkVhdTable`). Nobody may have the file open for writing.
 * @throws VhdError `VHD_ABORTED`; Node's own errors when a file cannot be read, or written for a repair.
 */
export async function checkDisk(path: string, options: CheckOptions = {}): Promise<CheckReport> {
  checkAborted(options.signal);
  const repairs: CheckRepair[] = [];
  let checked = await checkOne(path, options);
  if (options.repair === true) {
    for (let round = 0; round < MAX_ROUNDS && checked.repairs.length > 0; round += 1) {
      repairs.push(...(await repairOne(path, options)));
      checked = await checkOne(path, options);
    }
  }
  const own: CheckReport = { ...checked.report, repairs };
  return checkChain(own, checked, options, [path]);
}

interface Checked {
  readonly report: CheckReport;
  readonly findings: Findings;
  readonly identifier: string | undefined;
  readonly parent: FileCheck['parent'];
  readonly repairs: FileCheck['repairs'];
}

async function checkOne(path: string, options: TransferOptions): Promise<Checked> {
  const file = await openFile(path, 'read');
  try {
    return await checkOpen(file, options);
  } finally {
    await file.close();
  }
}

/** Does what can be done, on the state that the file has now. */
async function repairOne(path: string, options: TransferOptions): Promise<readonly CheckRepair[]> {
  const file = await openFile(path, 'write');
  try {
    const { repairs } = await checkOpen(file, { ...options, onProgress: () => undefined });
    for (const repair of repairs) await repair.run();
    await file.sync();
    return repairs.map(({ name }) => name);
  } finally {
    await file.close();
  }
}

async function checkOpen(file: RandomAccessFile, options: TransferOptions): Promise<Checked> {
  const findings = new Findings();
  const format = await formatOf(file);
  let found = NOTHING_KNOWN;
  if (format === 'vhdx') found = await checkVhdx(file, findings, options);
  else if (format === 'vhd') found = await checkVhd(file, findings, options);
  else findings.error('unknown-format', `the file is neither VHD nor VHDX (${format})`);
  const report: CheckReport = {
    path: file.path,
    ...(format === 'vhd' || format === 'vhdx' ? { format } : {}),
    ...(found.type === undefined ? {} : { type: found.type }),
    ...(found.virtualSize === undefined ? {} : { virtualSize: found.virtualSize }),
    fileSize: await file.size(),
    whole: !findings.hasError,
    needsReplay: found.needsReplay,
    allocatedBlocks: found.allocatedBlocks,
    leakedBytes: found.leakedBytes,
    findings: findings.list,
    findingsLeftOut: findings.leftOut,
    repairs: [],
  };
  return { report, findings, identifier: found.identifier, parent: found.parent, repairs: found.repairs };
}

/** By content; a VHDX that lost its first bytes is still known by its header. */
async function formatOf(file: RandomAccessFile): Promise<string> {
  const { format } = await recognise(file);
  if (format !== 'raw') return format;
  for (const offset of HEADER_OFFSETS) {
    const signature = Buffer.alloc(4);
    await file.read(signature, offset);
    if (signature.toString('latin1') === 'head') return 'vhdx';
  }
  return format;
}

/** Adds to a report what is wrong with the disk's parents. `above` are the files of the chain so far. */
async function checkChain(
  report: CheckReport,
  checked: Checked,
  options: CheckOptions,
  above: readonly string[],
): Promise<CheckReport> {
  const { parent, findings } = checked;
  const { resolveParent } = options;
  if (parent === undefined || resolveParent === undefined) return report;
  const finish = (below?: CheckReport): CheckReport => ({
    ...report,
    whole: !findings.hasError,
    findings: findings.list,
    findingsLeftOut: findings.leftOut,
    ...(below === undefined ? {} : { parent: below }),
  });
  const candidates = await findParents(parent.paths, report.path, resolveParent);
  const found = await checkCandidates(candidates, parent.identifiers, options);
  if (found === undefined) {
    const tried = parent.paths.map((each) => JSON.stringify(each)).join(', ') || 'no path';
    findings.error('parent-missing', `the parent was not found; tried ${tried}`);
    return finish();
  }
  const { place, below } = found;
  if (above.includes(place) || above.length >= MAX_CHAIN) {
    const isCircle = above.includes(place);
    const why = isCircle
      ? `the chain is a circle: ${place} is above itself`
      : `more than ${MAX_CHAIN} parents`;
    findings.error('chain-too-long', why);
    return finish();
  }
  if (!isParent(below, parent.identifiers)) {
    findings.error(
      'parent-mismatch',
      `${place} is not the disk that this one was made from: it has the identifier ${below.identifier ?? 'of none'}, expected is ${parent.identifiers.join(' or ')}`,
    );
  }
  const rest = await checkChain(below.report, below, options, [...above, place]);
  if (!rest.whole) findings.error('parent-damaged', `the parent ${place} is not whole`);
  return finish(rest);
}

function isParent({ identifier }: Checked, identifiers: readonly string[]): boolean {
  return identifier !== undefined && identifiers.includes(identifier);
}

/** The first file that has the right identifier, as opening takes it; else the first of all. */
async function checkCandidates(
  candidates: readonly string[],
  identifiers: readonly string[],
  options: CheckOptions,
): Promise<{ readonly place: string; readonly below: Checked } | undefined> {
  let first: { readonly place: string; readonly below: Checked } | undefined;
  for (const place of candidates) {
    const below = await checkOne(place, { ...options, onProgress: () => undefined });
    if (isParent(below, identifiers)) return { place, below };
    first ??= { place, below };
  }
  return first;
}

/** The files that the paths lead to, where the caller allows it. */
async function findParents(
  paths: readonly string[],
  childPath: string,
  resolveParent: ResolveParent,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const locatorPath of paths) {
    const candidate = resolveParent(locatorPath, childPath);
    if (candidate === undefined || found.includes(candidate)) continue;
    const file = await openIfThere(candidate);
    if (file === undefined) continue;
    await file.close();
    found.push(candidate);
  }
  return found;
}
