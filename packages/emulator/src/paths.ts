import { existsSync, readdirSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { HV, HyperVError } from './errors.js';

const RESERVED = /^(?:con|prn|aux|nul|conin\$|conout\$|com[1-9¹²³]|lpt[1-9¹²³]) *(?:\.|$)/i;
const FORBIDDEN = /[<>:"|?*/\p{Cc}]/u;
const MAXIMUM_PATH = 1024;
const MAXIMUM_NAME = 255;

/** Shares of file servers, as the host reaches them. */
export interface Network {
  /**
   * Folder of this machine that is `\\server\share`. Throws HyperVError with what Windows says of a server or a share
   * that is not there (32779), or one to which the host has no access (32769).
   */
  folderOf(server: string, share: string): string;
  /** All folders and their `\\server\share`. */
  folders(): readonly { readonly folder: string; readonly remotePath: string }[];
}

/** A host that reaches no file server. */
export const NO_NETWORK: Network = {
  folderOf: (server) => {
    throw new HyperVError(
      HV.fileNotFound,
      `The network path was not found: there is no file server '${server}' (0x80070035).`,
    );
  },
  folders: () => [],
};

/** A Windows path taken apart: where it begins, and the checked names after that. */
interface Place {
  /** undefined = drive C. */
  readonly share?: { readonly server: string; readonly name: string };
  readonly names: readonly string[];
}

/**
 * The host's one drive and the shares that it reaches: `C:\a\b` is `<root>/a/b`, `\\server\share\a` is in the share's
 * folder. Windows names compare without case, so a file is found in whatever case it was created; a new file gets the
 * case it was asked for.
 */
export class DrivePaths {
  /** Folder of this machine that is `C:\`. */
  readonly root: string;
  readonly #network: Network;

  constructor(root: string, network: Network = NO_NETWORK) {
    this.root = path.resolve(root);
    this.#network = network;
  }

  /**
   * This machine's path of a full Windows path on drive C or of a UNC path. Throws 32773 for relative paths, other
   * drives, `..`, alternate data streams, reserved device names and characters that Windows does not allow; for UNC
   * paths what {@link Network.folderOf} throws, and 32769 for links that lead out of a share.
   */
  toLocal(windowsPath: string): string {
    const { share, names } = parse(windowsPath);
    const base = share === undefined ? this.root : this.#network.folderOf(share.server, share.name);
    let local = base;
    for (const name of names) local = path.join(local, onDisk(local, name));
    if (share !== undefined && !isWithin(base, local)) {
      throw new HyperVError(
        HV.accessDenied,
        `Access is denied: '${windowsPath.slice(0, 300)}' leads out of its share (0x80070005).`,
      );
    }
    return local;
  }

  /** The parts after the drive, checked; 32773 for UNC paths too. */
  components(windowsPath: string): readonly string[] {
    const { share, names } = parse(windowsPath);
    if (share === undefined) return names;
    throw new HyperVError(
      HV.invalidParameter,
      `'${windowsPath.slice(0, 300)}' is not on drive C of this host.`,
    );
  }

  /** A text about files of the host as it reads there: no path of this machine leaves it. */
  inWindowsTerms(text: string): string {
    return this.#places().reduce((before, { folder, windows }) => {
      const [head, ...rest] = before.split(`${folder}/`);
      const after = rest.map(
        (part) => `${windows}\\${part.replace(/^[^\s'":]+/, (file) => file.replaceAll('/', '\\'))}`,
      );
      return [head, ...after].join('');
    }, text);
  }

  /** The Windows path of a file under the drive's folder or that of a share. */
  toWindows(local: string): string {
    for (const { folder, windows } of this.#places()) {
      const relative = path.relative(folder, local);
      if (relative !== '..' && !relative.startsWith('../') && !path.isAbsolute(relative))
        return `${windows}\\${relative.replaceAll('/', '\\')}`;
    }
    throw new Error(`${local} is neither on the drive nor in a share`);
  }

  #places(): readonly { folder: string; windows: string }[] {
    const shares = this.#network.folders().map(({ folder, remotePath }) => ({ folder, windows: remotePath }));
    return [{ folder: this.root, windows: 'C:' }, ...shares];
  }
}

function parse(windowsPath: string): Place {
  const refuse = (why: string): never => {
    throw new HyperVError(
      HV.invalidParameter,
      `'${windowsPath.slice(0, 300)}' is no path of this host: ${why}.`,
    );
  };
  if (windowsPath.length > MAXIMUM_PATH) refuse(`longer than ${MAXIMUM_PATH} characters`);
  const plain = withoutPrefix(windowsPath.replaceAll('/', '\\'));
  const unc = /^\\\\(?<server>[^\\?.][^\\]*)\\(?<share>[^\\]+)(?:\\(?<rest>.*))?$/s.exec(plain)?.groups;
  const onDrive = /^(?<drive>[A-Za-z]):\\(?<rest>.*)$/s.exec(plain)?.groups;
  if (unc === undefined && onDrive === undefined) {
    return refuse(String.raw`a full path such as C:\folder\file is needed`);
  }
  if (onDrive !== undefined && onDrive['drive']?.toUpperCase() !== 'C')
    refuse('the host has no other drive than C:');
  const names = ((unc ?? onDrive)?.['rest'] ?? '').split('\\').filter((name) => name !== '');
  const { server = '', share: name = '' } = unc ?? {};
  for (const part of unc === undefined ? names : [server, name, ...names]) {
    const why = wrongName(part);
    if (why !== undefined) refuse(why);
  }
  return unc === undefined ? { names } : { share: { server, name }, names };
}

/** `\\?\C:\a` is `C:\a`, `\\?\UNC\server\share` is `\\server\share`. */
function withoutPrefix(windowsPath: string): string {
  if (!windowsPath.startsWith('\\\\?\\')) return windowsPath;
  const plain = windowsPath.slice(4);
  return /^unc\\/i.test(plain) ? `\\\\${plain.slice(4)}` : plain;
}

function wrongName(name: string): string | undefined {
  if (name === '.' || name === '..') return '. and .. are not allowed';
  if (FORBIDDEN.test(name)) return 'it has a character that Windows does not allow';
  if (RESERVED.test(name)) return `${name} is a reserved device name`;
  if (/[. ]$/.test(name)) return 'a name ends in a dot or a space';
  return name.length > MAXIMUM_NAME ? `a name is longer than ${MAXIMUM_NAME} characters` : undefined;
}

/** Whether what there is of a path lies in the folder, links followed. */
function isWithin(folder: string, local: string): boolean {
  let there = local;
  while (there !== folder && !existsSync(there)) there = path.dirname(there);
  try {
    const relative = path.relative(realpathSync(folder), realpathSync(there));
    return relative !== '..' && !relative.startsWith('../') && !path.isAbsolute(relative);
  } catch {
    return false;
  }
}

/** The name as it stands in the folder, in whatever case; the wanted one when there is none. */
function onDisk(folder: string, name: string): string {
  if (existsSync(path.join(folder, name))) return name;
  const wanted = name.toLowerCase();
  try {
    return readdirSync(folder).find((entry) => entry.toLowerCase() === wanted) ?? name;
  } catch {
    return name;
  }
}
