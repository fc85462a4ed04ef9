import { roundUp } from '../bytes/integers.js';
import { ZERO_GUID } from '../bytes/guid.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import { DISK_LIMITS } from '../limits.js';
import type { TransferOptions } from '../transfer.js';
import { chsGeometry } from '../vhd/chs.js';
import type { VhdFooter } from '../vhd/footer.js';
import { decodeFooter, FOOTER_SIZE } from '../vhd/footer.js';
import type { VhdContents } from '../vhd/vhd-file.js';
import { readFooter, readVhd } from '../vhd/vhd-file.js';
import type { FileCheck, Findings, Repair } from './report.js';
import { NOTHING_KNOWN } from './report.js';
import { checkVhdTable } from './vhd-table.js';

/** The geometry of disks that are larger than any geometry tells, which tools also write when the size counts alone. */
const LARGEST_GEOMETRY_SECTORS = 65535 * 16 * 255;

/** Checks a VHD from its footer down to its table of blocks. Findings go to `findings`. */
export async function checkVhd(
  file: RandomAccessFile,
  findings: Findings,
  options: TransferOptions,
): Promise<FileCheck> {
  const found = await findings.guard('footer-damaged', () => readFooter(file));
  if (found === undefined) return NOTHING_KNOWN;
  const { footer } = found;
  const known: FileCheck = {
    ...NOTHING_KNOWN,
    type: footer.type,
    virtualSize: footer.currentSize,
    identifier: footer.uniqueId,
  };
  checkSizes(footer, found.footerOffset, findings);
  const code = footer.type === 'fixed' ? 'file-cut-short' : 'dynamic-header-damaged';
  const contents = await findings.guard(code, () =>
    readVhd(file, findings.complain('parent-locator-damaged')),
  );
  if (contents === undefined) return known;
  const { header } = contents;
  if (header === undefined) return { ...known, leakedBytes: found.footerOffset - footer.currentSize };
  const parent = footer.type === 'differencing' ? checkParent(contents, findings) : undefined;
  const blocks = await findings.guard('table-damaged', () =>
    checkVhdTable(file, { ...contents, header }, findings, options),
  );
  const repairs = await checkFooters(file, contents, blocks?.end, findings);
  return {
    ...known,
    repairs,
    allocatedBlocks: blocks?.allocatedBlocks ?? 0,
    leakedBytes: blocks?.leakedBytes ?? 0,
    ...(parent === undefined ? {} : { parent }),
  };
}

function checkSizes(footer: VhdFooter, offset: number, findings: Findings): void {
  const { currentSize, geometry } = footer;
  if (currentSize > DISK_LIMITS.vhd.maxVirtualSize) {
    const message = `the disk is larger (${currentSize} bytes) than Windows takes VHDs to be`;
    findings.warning('geometry-wrong', message, { offset });
  }
  const sectors = geometry.cylinders * geometry.heads * geometry.sectorsPerTrack;
  const wanted = chsGeometry(currentSize);
  const cylinder = wanted.heads * wanted.sectorsPerTrack;
  // Up to a cylinder is lost by rounding; tools that round up make the size fit the geometry.
  const isRight =
    sectors >= LARGEST_GEOMETRY_SECTORS ||
    Math.abs(currentSize / 512 - sectors) <= Math.max(cylinder, 16 * 255);
  if (!isRight && currentSize / 512 < LARGEST_GEOMETRY_SECTORS) {
    const { cylinders, heads, sectorsPerTrack } = geometry;
    findings.warning(
      'geometry-wrong',
      `the geometry ${cylinders}/${heads}/${sectorsPerTrack} tells ${sectors * 512} bytes, the size is ${currentSize}`,
      { offset },
    );
  }
}

function checkParent({ header, parentPaths, footer }: VhdContents, findings: Findings): FileCheck['parent'] {
  if (header === undefined) return undefined;
  const place = { offset: footer.dataOffset ?? 0 };
  const { uniqueId } = header.parent;
  if (uniqueId === ZERO_GUID) findings.error('parent-locator-damaged', 'the header names no parent', place);
  if (parentPaths.length === 0)
    findings.error('parent-locator-damaged', 'there is no path to the parent', place);
  return { identifiers: [uniqueId], paths: parentPaths };
}

/**
 * Compares the footer with its copy.
 * @param end where the last thing that is owned ends; undefined when that is not known, so that nothing is written.
 */
async function checkFooters(
  file: RandomAccessFile,
  { footerOffset, footerIsDamaged }: VhdContents,
  end: number | undefined,
  findings: Findings,
): Promise<readonly Repair[]> {
  const [copy, size] = [Buffer.alloc(FOOTER_SIZE), await file.size()];
  await file.read(copy, 0);
  if (footerIsDamaged) {
    const offset = Math.max(0, size - FOOTER_SIZE);
    const isRest = !findings.hasError && end !== undefined;
    findings.error('footer-damaged', 'the footer is missing or damaged; its copy at the start is good', {
      offset,
    });
    // Over what is there when nothing owns it, behind it else.
    const place = isRest && end <= offset && size % FOOTER_SIZE === 0 ? offset : roundUp(size, FOOTER_SIZE);
    return isRest ? [{ name: 'footer-rewritten', run: () => file.write(copy, place) }] : [];
  }
  const footer = Buffer.alloc(FOOTER_SIZE);
  await file.read(footer.subarray(0, size - footerOffset), footerOffset);
  if (footer.equals(copy)) return [];
  const isValid =
    (await findings.guard('footer-copy-damaged', () => decodeFooter(copy, file.path, 0), 'warning')) !==
    undefined;
  if (isValid)
    findings.warning('footers-differ', 'the footer and its copy at the start differ', { offset: 0 });
  else
    findings.warning('footer-copy-damaged', 'the copy of the footer at the start is damaged', { offset: 0 });
  return [{ name: 'footer-copy-rewritten', run: () => file.write(footer, 0) }];
}
