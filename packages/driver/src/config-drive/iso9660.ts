import { DriverError } from '../errors.js';
import { both16, both32, longDate, padded, SECTOR, sectorsOf, shortDate, ucs2 } from './iso-fields.js';
import { isoTree } from './iso-tree.js';
import type { IsoDirectory, IsoFile, IsoNode } from './iso-tree.js';
import { rockRidge } from './rock-ridge.js';
import type { RecordRole } from './rock-ridge.js';

export type { IsoFile } from './iso-tree.js';

export interface IsoOptions {
  /** `config-2`: what guests look for. At most 16 characters, for Joliet has no more. */
  readonly volumeId: string;
  /** Of the volume and every file: the same input makes the same bytes. */
  readonly date: Date;
  readonly publisher?: string;
}

/** Most bytes that an image may hold: Nova's own config drives end at 64 MiB. */
export const MAX_CONTENT_BYTES = 64 * 1024 * 1024;
/** The first sectors are the system area, which stays empty. Source: ECMA-119, 6.2.1. */
const SYSTEM_SECTORS = 16;
/** Of a directory record before its identifier. Source: ECMA-119, 9.1. */
const RECORD_HEADER = 33;

interface Extent {
  readonly sector: number;
  readonly bytes: number;
}

/** One of the two trees over the same files: plain names with Rock Ridge's beside them, or Joliet's. */
interface View {
  readonly joliet: boolean;
  readonly directories: readonly IsoDirectory[];
  identifier(node: IsoNode): Buffer;
  /** What follows the identifier of a directory record. */
  systemUse(node: IsoNode, role: RecordRole): Buffer;
}

interface PlacedView extends View {
  readonly littleTable: Extent;
  readonly bigTable: Extent;
  readonly extents: ReadonlyMap<IsoDirectory, Extent>;
}

/**
 * An ISO 9660 image with Joliet and Rock Ridge names, in memory. Pure.
 * Source: ECMA-119; Joliet Specification 1.0; IEEE P1282 (Rock Ridge).
 * @throws DriverError Invalid for paths that have no place in it, and for too much content
 */
export function writeIso9660(files: readonly IsoFile[], options: IsoOptions): Buffer {
  refuseTooMuch(files);
  const directories = inPathTableOrder(isoTree(files));
  let next = SYSTEM_SECTORS + 3;
  const take = (bytes: number): Extent => {
    const extent = { sector: next, bytes };
    next += sectorsOf(bytes);
    return extent;
  };
  const views = [plainView(directories, options.date), jolietView(directories)].map((view) =>
    place(view, take),
  );
  // Both trees have the same bytes of files.
  const fileExtents = new Map(files.map((file) => [file, take(file.content.length)]));
  const image = Buffer.alloc(next * SECTOR);
  for (const [index, view] of views.entries()) {
    volumeDescriptor(view, next, options).copy(image, (SYSTEM_SECTORS + index) * SECTOR);
    pathTable(view, false).copy(image, view.littleTable.sector * SECTOR);
    pathTable(view, true).copy(image, view.bigTable.sector * SECTOR);
    for (const directory of directories) {
      const records = directoryRecords(view, directory, fileExtents, options.date);
      packRecords(records).copy(image, extentOf(view, directory).sector * SECTOR);
    }
  }
  terminator().copy(image, (SYSTEM_SECTORS + 2) * SECTOR);
  for (const [file, { sector }] of fileExtents) image.set(file.content, sector * SECTOR);
  return image;
}

function refuseTooMuch(files: readonly IsoFile[]): void {
  const bytes = files.reduce((sum, file) => sum + file.content.length, 0);
  if (bytes <= MAX_CONTENT_BYTES) return;
  throw new DriverError(
    'Invalid',
    `The config drive would hold ${bytes} bytes; at most ${MAX_CONTENT_BYTES} go into one. Give less user data or fewer files.`,
  );
}

/** Directories by depth, then by their parents' places. Source: ECMA-119, 6.9.1. */
function inPathTableOrder(root: IsoDirectory): readonly IsoDirectory[] {
  const ordered = [root];
  for (const directory of ordered) {
    directory.children.sort((a, b) => compare(a.plainName, b.plainName));
    ordered.push(...directory.children.filter((child) => child.kind === 'directory'));
  }
  return ordered;
}

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/** Files have a version after their name, directories none. Source: ECMA-119, 7.5.1. */
const versioned = ({ kind }: IsoNode, name: string): string => (kind === 'file' ? `${name};1` : name);

function plainView(directories: readonly IsoDirectory[], date: Date): View {
  return {
    joliet: false,
    directories,
    identifier: (node) => Buffer.from(versioned(node, node.plainName), 'latin1'),
    systemUse: (node, role) => rockRidge(node, role, date),
  };
}

function jolietView(directories: readonly IsoDirectory[]): View {
  const isRoot = (node: IsoNode) => node === directories[0];
  return {
    joliet: true,
    directories,
    identifier: (node) => (isRoot(node) ? Buffer.from([0]) : ucs2(versioned(node, node.name))),
    systemUse: () => Buffer.alloc(0),
  };
}

/** Gives a tree's tables and directories their sectors. Sizes do not depend on places, so places may still be unknown. */
function place(view: View, take: (bytes: number) => Extent): PlacedView {
  const nowhere = new Map<IsoDirectory, Extent>();
  const unplaced = { ...view, extents: nowhere, littleTable: take(0), bigTable: take(0) };
  const tableBytes = pathTable(unplaced, false).length;
  const littleTable = take(tableBytes);
  const bigTable = take(tableBytes);
  const extents = new Map(
    view.directories.map((directory) => [
      directory,
      take(packRecords(directoryRecords(unplaced, directory, new Map(), new Date(0))).length),
    ]),
  );
  return { ...view, extents, littleTable, bigTable };
}

const NOWHERE: Extent = { sector: 0, bytes: 0 };
const extentOf = ({ extents }: PlacedView, directory: IsoDirectory): Extent =>
  extents.get(directory) ?? NOWHERE;

/** Source: ECMA-119, 9.4. */
function pathTable(view: PlacedView, bigEndian: boolean): Buffer {
  const numbers = new Map(view.directories.map((directory, index) => [directory, index + 1]));
  const records = view.directories.map((directory) => {
    const identifier = view.identifier(directory);
    const head = Buffer.alloc(8);
    const { sector } = extentOf(view, directory);
    const parent = numbers.get(directory.parent) ?? 1;
    head[0] = identifier.length;
    if (bigEndian) {
      head.writeUInt32BE(sector, 2);
      head.writeUInt16BE(parent, 6);
    } else {
      head.writeUInt32LE(sector, 2);
      head.writeUInt16LE(parent, 6);
    }
    return Buffer.concat([head, identifier, Buffer.alloc(identifier.length % 2)]);
  });
  return Buffer.concat(records);
}

function directoryRecords(
  view: PlacedView,
  directory: IsoDirectory,
  files: ReadonlyMap<IsoFile, Extent>,
  date: Date,
): readonly Buffer[] {
  const isRoot = directory.parent === directory;
  const { parent } = directory;
  return [
    record({
      identifier: Buffer.from([0]),
      extent: extentOf(view, directory),
      isDirectory: true,
      systemUse: view.systemUse(directory, isRoot ? 'root' : 'self'),
      date,
    }),
    record({
      identifier: Buffer.from([1]),
      extent: extentOf(view, parent),
      isDirectory: true,
      systemUse: view.systemUse(parent, 'parent'),
      date,
    }),
    ...directory.children
      .toSorted((a, b) => Buffer.compare(view.identifier(a), view.identifier(b)))
      .map((child) =>
        record({
          identifier: view.identifier(child),
          extent: child.kind === 'file' ? (files.get(child.file) ?? NOWHERE) : extentOf(view, child),
          isDirectory: child.kind === 'directory',
          systemUse: view.systemUse(child, 'entry'),
          date,
        }),
      ),
  ];
}

interface RecordFields {
  readonly identifier: Buffer;
  readonly extent: Extent;
  readonly isDirectory: boolean;
  readonly systemUse: Buffer;
  readonly date: Date;
}

/** Source: ECMA-119, 9.1. */
function record({ identifier, extent, isDirectory, systemUse, date }: RecordFields): Buffer {
  const name = Buffer.concat([identifier, Buffer.alloc((identifier.length + 1) % 2)]);
  const length = RECORD_HEADER + name.length + systemUse.length + (systemUse.length % 2);
  const bytes = Buffer.alloc(length);
  bytes[0] = length;
  bytes.set(both32(extent.sector), 2);
  bytes.set(both32(extent.bytes), 10);
  bytes.set(shortDate(date), 18);
  bytes[25] = isDirectory ? 2 : 0;
  bytes.set(both16(1), 28);
  bytes[32] = identifier.length;
  bytes.set(name, RECORD_HEADER);
  bytes.set(systemUse, RECORD_HEADER + name.length);
  return bytes;
}

/** No record lies across the end of a sector; a directory fills whole ones. Source: ECMA-119, 6.8.1.1. */
function packRecords(records: readonly Buffer[]): Buffer {
  const parts: Buffer[] = [];
  let length = 0;
  const fill = (): void => {
    const rest = sectorsOf(length) * SECTOR - length;
    parts.push(Buffer.alloc(rest));
    length += rest;
  };
  for (const one of records) {
    if ((length % SECTOR) + one.length > SECTOR) fill();
    parts.push(one);
    length += one.length;
  }
  fill();
  return Buffer.concat(parts);
}

/** Primary (ECMA-119, 8.4) or supplementary (8.5) with Joliet's escape sequence for UCS-2 level 3. */
function volumeDescriptor(view: PlacedView, sectors: number, options: IsoOptions): Buffer {
  const { joliet } = view;
  const [root] = view.directories;
  const bytes = Buffer.alloc(SECTOR);
  const put = (offset: number, content: Buffer): void => bytes.set(content, offset);
  const words = (offset: number, length: number, value = ''): void =>
    put(offset, padded(value, length, joliet));
  put(0, Buffer.from([joliet ? 2 : 1, ...Buffer.from('CD001', 'latin1'), 1, 0]));
  words(8, 32, 'LINUX');
  words(40, 32, options.volumeId);
  put(80, both32(sectors));
  if (joliet) put(88, Buffer.from('%/E', 'latin1'));
  put(120, both16(1));
  put(124, both16(1));
  put(128, both16(SECTOR));
  put(132, both32(view.littleTable.bytes));
  bytes.writeUInt32LE(view.littleTable.sector, 140);
  bytes.writeUInt32BE(view.bigTable.sector, 148);
  if (root !== undefined) {
    const systemUse = Buffer.alloc(0);
    const identifier = Buffer.from([0]);
    const { date } = options;
    put(156, record({ identifier, extent: extentOf(view, root), isDirectory: true, systemUse, date }));
  }
  words(190, 128, options.volumeId);
  words(318, 128, options.publisher);
  words(446, 128);
  words(574, 128);
  for (const offset of [702, 739, 776]) words(offset, 37);
  const created = longDate(options.date);
  put(813, created);
  put(830, created);
  put(847, longDate(undefined));
  put(864, longDate(undefined));
  bytes[881] = 1;
  return bytes;
}

/** Source: ECMA-119, 8.3. */
function terminator(): Buffer {
  return Buffer.from([255, ...Buffer.from('CD001', 'latin1'), 1]);
}
