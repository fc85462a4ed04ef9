import { DriverError } from '../errors.js';

export interface IsoFile {
  /** `openstack/latest/meta_data.json` */
  readonly path: string;
  readonly content: Uint8Array;
}

interface Named {
  readonly name: string;
  /** The name as ISO 9660 knows it without extensions; no other of its directory has it. */
  readonly plainName: string;
}

export interface IsoDirectory extends Named {
  readonly kind: 'directory';
  /** The root is its own. */
  readonly parent: IsoDirectory;
  readonly children: IsoNode[];
}

export interface IsoLeaf extends Named {
  readonly kind: 'file';
  readonly file: IsoFile;
}

export type IsoNode = IsoDirectory | IsoLeaf;

/** Joliet has 64 characters, of which a file's version takes two. */
const NAME = /^(?!\.{1,2}$)[\w.-]{1,62}$/;
/** Levels of directories, the root's included. Source: ECMA-119, 6.8.2.1. */
const MAX_LEVELS = 8;
const MAX_FILES = 4096;
/** Characters of plain names. Source: ECMA-119, interchange level 2 (31 with the dot). */
const PLAIN_LENGTH = 30;
const EXTENSION_LENGTH = 8;

/** The files' directories. @throws DriverError Invalid */
export function isoTree(files: readonly IsoFile[]): IsoDirectory {
  if (files.length > MAX_FILES) {
    throw new DriverError('Invalid', `A config drive has at most ${MAX_FILES} files, not ${files.length}.`);
  }
  const root = rootDirectory();
  for (const file of files) {
    const names = file.path.split('/');
    if (names.length > MAX_LEVELS || names.some((name) => !NAME.test(name))) throw badPath(file.path);
    const leaf = names.at(-1) ?? '';
    let directory = root;
    for (const name of names.slice(0, -1)) directory = subdirectory(directory, name, file.path);
    if (directory.children.some(({ name }) => name === leaf)) throw badPath(file.path);
    directory.children.push({ kind: 'file', name: leaf, plainName: plainName(directory, leaf, true), file });
  }
  return root;
}

function badPath(path: string): DriverError {
  return new DriverError(
    'Invalid',
    `The path ${JSON.stringify(path)} has no place on a config drive: use letters, digits, ".", "_" and "-", each path once.`,
  );
}

function rootDirectory(): IsoDirectory {
  const children: IsoNode[] = [];
  const root: IsoDirectory = {
    kind: 'directory',
    name: '\0',
    plainName: '\0',
    children,
    get parent(): IsoDirectory {
      return root;
    },
  };
  return root;
}

function subdirectory(parent: IsoDirectory, name: string, path: string): IsoDirectory {
  const found = parent.children.find((child) => child.name === name);
  if (found?.kind === 'directory') return found;
  if (found !== undefined) throw badPath(path);
  const made: IsoDirectory = {
    kind: 'directory',
    name,
    plainName: plainName(parent, name, false),
    parent,
    children: [],
  };
  parent.children.push(made);
  return made;
}

/** Capitals, digits and `_`; a file has one dot. Source: ECMA-119, 7.5 and 7.6. */
function plainName(directory: IsoDirectory, name: string, isFile: boolean): string {
  const dot = isFile ? name.lastIndexOf('.') : -1;
  const stem = plain(dot < 0 ? name : name.slice(0, dot)) || '_';
  const extension = dot < 0 ? '' : plain(name.slice(dot + 1)).slice(0, EXTENSION_LENGTH);
  const end = isFile ? `.${extension}` : '';
  const taken = new Set(directory.children.map((child) => child.plainName));
  for (let number = 0; ; number += 1) {
    const suffix = number === 0 ? '' : `_${number}`;
    const candidate = `${stem.slice(0, PLAIN_LENGTH - end.length - suffix.length)}${suffix}${end}`;
    if (!taken.has(candidate)) return candidate;
  }
}

const plain = (text: string): string => text.toUpperCase().replaceAll(/[^A-Z0-9_]/g, '_');
