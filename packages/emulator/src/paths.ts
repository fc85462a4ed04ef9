import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { HV, HyperVError } from './errors.js';

const RESERVED = /^(?:con|prn|aux|nul|conin\$|conout\$|com[1-9¹²³]|lpt[1-9¹²³]) *(?:\.|$)/i;
const FORBIDDEN = /[<>:"|?*/\p{Cc}]/u;
const MAXIMUM_PATH = 1024;
const MAXIMUM_NAME = 255;

/**
 * The host's one drive: `C:\a\b` is `<root>/a/b`. Windows names compare without case, so a file is found in
 * whatever case it was created; a new file gets the case it was asked for.
 */
export class DrivePaths {
  /** Folder of this machine that is `C:\`. */
  readonly root: string;

  constructor(root: string) {
    this.root = path.resolve(root);
  }

  /**
   * This machine's path of a full Windows path on drive C. Throws 32773 for relative paths, other drives, UNC
   * paths, `..`, alternate data streams, reserved device names and characters that Windows does not allow.
   */
  toLocal(windowsPath: string): string {
    let local = this.root;
    for (const name of this.components(windowsPath)) {
      local = path.join(local, onDisk(local, name));
    }
    return local;
  }

  /** The parts after the drive, checked. */
  components(windowsPath: string): readonly string[] {
    const refuse = (why: string): never => {
      throw new HyperVError(
        HV.invalidParameter,
        `'${windowsPath.slice(0, 300)}' is no path of this host: ${why}.`,
      );
    };
    if (windowsPath.length > MAXIMUM_PATH) refuse(`longer than ${MAXIMUM_PATH} characters`);
    const plain = windowsPath.startsWith('\\\\?\\') ? windowsPath.slice(4) : windowsPath;
    const match = /^(?<drive>[A-Za-z]):\\(?<rest>.*)$/s.exec(plain.replaceAll('/', '\\'));
    if (match?.groups === undefined) return refuse(String.raw`a full path such as C:\folder\file is needed`);
    if (match.groups['drive']?.toUpperCase() !== 'C') refuse('the host has no other drive than C:');
    const names = (match.groups['rest'] ?? '').split('\\').filter((name) => name !== '');
    for (const name of names) {
      if (name === '.' || name === '..') refuse('. and .. are not allowed');
      if (FORBIDDEN.test(name)) refuse('it has a character that Windows does not allow');
      if (RESERVED.test(name)) refuse(`${name} is a reserved device name`);
      if (/[. ]$/.test(name)) refuse('a name ends in a dot or a space');
      if (name.length > MAXIMUM_NAME) refuse(`a name is longer than ${MAXIMUM_NAME} characters`);
    }
    return names;
  }

  /** A text about files of the drive as it reads on the host: no path of this machine leaves it. */
  inWindowsTerms(text: string): string {
    const [before, ...rest] = text.split(`${this.root}/`);
    const after = rest.map(
      (part) => `C:\\${part.replace(/^[^\s'":]+/, (file) => file.replaceAll('/', '\\'))}`,
    );
    return [before, ...after].join('');
  }

  /** The Windows path of a file under the drive's folder. */
  toWindows(local: string): string {
    const relative = path.relative(this.root, local);
    if (relative.startsWith('..') || path.isAbsolute(relative))
      throw new Error(`${local} is not on the drive`);
    return `C:\\${relative.replaceAll('/', '\\')}`;
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
