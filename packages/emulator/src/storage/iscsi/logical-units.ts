import { IscsiSession } from './session.js';
import type { IscsiPortal, LoginOptions } from './session.js';
import { IscsiError } from './status.js';

/** What a logical unit tells of itself. */
export interface LogicalUnit {
  readonly lun: number;
  readonly vendor: string;
  readonly product: string;
  readonly revision: string;
  readonly serialNumber: string;
  /** As MSFT_Disk has it: hexadecimal for binary designators. */
  readonly uniqueId: string;
  /** MSFT_Disk.UniqueIdFormat: 0 vendor specific, 1 vendor id, 2 EUI-64, 3 FC-PH name (NAA), 8 SCSI name string. */
  readonly uniqueIdFormat: number;
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  readonly physicalSectorBytes: number;
}

const GOOD = 0;
/** A unit's first answers may tell that it was reset or has changed (unit attention). */
const TRIES = 4;
const MOST_UNITS = 256;
const REPORT_BYTES = 8 + 8 * MOST_UNITS;
const PAGE_BYTES = 255;
const DIRECT_ACCESS = 0;
/** Which designator identifies the unit, the best first (VPD page 0x83, SPC-4 7.8.6). */
const PRECEDENCE = [8, 3, 2, 1, 0];

/** The disks of a target. @throws IscsiError */
export async function readLogicalUnits(
  portal: IscsiPortal,
  target: string,
  options: LoginOptions,
): Promise<readonly LogicalUnit[]> {
  const session = await IscsiSession.login(portal, target, options);
  try {
    const units: LogicalUnit[] = [];
    for (const lun of parseLuns(
      await ask(session, 0, [0xa0, 0, 0, 0, 0, 0, ...u32(REPORT_BYTES), 0, 0], REPORT_BYTES),
    )) {
      const unit = await readUnit(session, lun);
      if (unit !== undefined) units.push(unit);
    }
    return units;
  } finally {
    await session.logout();
  }
}

async function readUnit(session: IscsiSession, lun: number): Promise<LogicalUnit | undefined> {
  const inquiry = await ask(session, lun, [0x12, 0, 0, 0, PAGE_BYTES, 0], PAGE_BYTES);
  if (inquiry.length < 36 || inquiry.readUInt8(0) !== DIRECT_ACCESS) return undefined;
  const serial = await ask(session, lun, [0x12, 1, 0x80, 0, PAGE_BYTES, 0], PAGE_BYTES).catch(none);
  const identification = await ask(session, lun, [0x12, 1, 0x83, 0, PAGE_BYTES, 0], PAGE_BYTES).catch(none);
  const capacity = await ask(session, lun, [0x9e, 0x10, ...Array<number>(8).fill(0), ...u32(32), 0, 0], 32);
  if (capacity.length < 14) throw new IscsiError('targetError', `the size of LUN ${lun} is not told`);
  const sectorBytes = capacity.readUInt32BE(8);
  const text = (from: number, to: number): string => inquiry.toString('latin1', from, to).trim();
  return {
    lun,
    vendor: text(8, 16),
    product: text(16, 32),
    revision: text(32, 36),
    serialNumber: serial.toString('latin1', 4, 4 + (serial[3] ?? 0)).trim(),
    ...parseDesignators(identification),
    sizeBytes: Number(capacity.readBigUInt64BE(0) + 1n) * sectorBytes,
    sectorBytes,
    physicalSectorBytes: sectorBytes * 2 ** (capacity.readUInt8(13) & 0x0f),
  };
}

async function ask(
  session: IscsiSession,
  lun: number,
  cdb: readonly number[],
  bytes: number,
): Promise<Buffer> {
  for (let attempt = 1; ; attempt += 1) {
    const { status, data } = await session.command(lun, cdb, bytes);
    if (status === GOOD) return data;
    if (attempt >= TRIES)
      throw new IscsiError('targetError', `LUN ${lun} answers with SCSI status ${status}`);
  }
}

/** A page that a unit does not have. */
function none(): Buffer {
  return Buffer.alloc(0);
}

function parseLuns(report: Buffer): readonly number[] {
  if (report.length < 8) return [];
  const end = Math.min(report.length, 8 + report.readUInt32BE(0));
  const luns: number[] = [];
  for (let offset = 8; offset + 8 <= end; offset += 8) {
    const word = report.readUInt16BE(offset);
    // 0 peripheral, 1 flat space; other methods of addressing are not for disks.
    if (word >> 14 <= 1) luns.push(word & 0x3fff);
  }
  return luns;
}

/** The best designator of the logical unit in a VPD page 0x83. */
export function parseDesignators(page: Buffer): Pick<LogicalUnit, 'uniqueId' | 'uniqueIdFormat'> {
  const found = new Map<number, string>();
  const end = Math.min(page.length, page.length < 4 ? 0 : 4 + page.readUInt16BE(2));
  for (let offset = 4; offset + 4 <= end;) {
    const [codeSet, type, length] = [
      page.readUInt8(offset) & 0x0f,
      page.readUInt8(offset + 1),
      page.readUInt8(offset + 3),
    ];
    const value = page.subarray(offset + 4, Math.min(end, offset + 4 + length));
    const isOfUnit = ((type >> 4) & 3) === 0;
    const text =
      codeSet === 1
        ? value.toString('hex').toUpperCase()
        : value.toString('utf8').replaceAll('\0', '').trim();
    if (isOfUnit && text !== '' && !found.has(type & 0x0f)) found.set(type & 0x0f, text);
    offset += 4 + length;
  }
  const uniqueIdFormat = PRECEDENCE.find((type) => found.has(type)) ?? 0;
  return { uniqueId: found.get(uniqueIdFormat) ?? '', uniqueIdFormat };
}

function u32(value: number): readonly number[] {
  return [(value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}
