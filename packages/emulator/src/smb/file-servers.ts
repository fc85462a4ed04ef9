import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import path from 'node:path';
import { sameText } from '../cim.js';
import { EmulatorError, HV, HyperVError } from '../errors.js';
import type { ShareOption } from '../options.js';
import type { Network } from '../paths.js';
import { damaged } from '../state-files.js';
import type { StateFiles } from '../state-files.js';

/** Win32 error codes that mapping a share ends with. Source: Windows SDK, winerror.h; WNetAddConnection2. */
export const WIN32 = {
  accessDenied: 5,
  badNetPath: 53,
  badNetName: 67,
  alreadyAssigned: 85,
  invalidParameter: 87,
  sessionCredentialConflict: 1219,
  logonFailure: 1326,
  notConnected: 2250,
  openFiles: 2401,
} as const;

/** A connection of the host to a share. `localPath` is '' for one without a drive letter. */
export interface Mapping {
  readonly remotePath: string;
  readonly localPath: string;
  readonly username: string;
  /** Survives a shutdown of the host. */
  readonly persistent: boolean;
}

/** {@link Mapping} as it is kept: a fingerprint of the credentials tells later whether the share still takes them. */
interface KeptMapping extends Mapping {
  readonly salt: string;
  readonly fingerprint: string;
}

export interface MappingWish {
  readonly remotePath: string;
  readonly localPath: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly persistent: boolean;
}

/** Refused by Windows with a Win32 code. */
export class Win32Error extends Error {
  readonly code = 'WIN32_REFUSED';
  readonly win32: number;
  constructor(win32: number, message: string) {
    super(message);
    this.name = 'Win32Error';
    this.win32 = win32;
  }
}

const FILE = 'smb-mappings';
const REMOTE_PATH = /^\\\\(?<server>[^\\/:*?"<>|\p{Cc}]{1,255})\\(?<share>[^\\/:*?"<>|\p{Cc}]{1,80})$/u;
const MOST_SHARES = 64;

/** The file servers around the host, and its connections to them, which outlive this process. */
export class FileServers implements Network {
  readonly #shares: readonly ShareOption[];
  readonly #files: StateFiles;
  #mappings: readonly KeptMapping[];

  /** @throws EmulatorError EMULATOR_OPTION for shares that cannot be; EMULATOR_STATE for a damaged file */
  constructor(shares: readonly ShareOption[], files: StateFiles) {
    checkShares(shares);
    this.#shares = shares.map((share) => ({ ...share, folder: path.resolve(share.folder) }));
    this.#files = files;
    this.#mappings = readMappings(files);
  }

  folderOf(server: string, share: string): string {
    const remotePath = `\\\\${server}\\${share}`;
    const found = this.#find(remotePath);
    if (found === undefined) {
      const text = this.#knows(server)
        ? `The network name cannot be found: '${remotePath}' (0x80070043).`
        : `The network path was not found: '${remotePath}' (0x80070035).`;
      throw new HyperVError(HV.fileNotFound, text);
    }
    if (found.username !== undefined && this.#connected(found) === undefined) {
      throw new HyperVError(
        HV.accessDenied,
        `General access denied error: the host is not connected to '${remotePath}' (0x80070005).`,
      );
    }
    return found.folder;
  }

  folders(): readonly { readonly folder: string; readonly remotePath: string }[] {
    return this.#shares;
  }

  mappings(): readonly (Mapping & { readonly isConnected: boolean })[] {
    return this.#mappings.map((one) => ({ ...one, isConnected: this.#isConnected(one) }));
  }

  /** Connects the host to a share. @throws Win32Error */
  connect(wish: MappingWish): Mapping {
    const share = this.#checked(wish);
    const before = this.#mappings.find(
      (one) => sameText(one.remotePath, share.remotePath) && sameText(one.localPath, wish.localPath),
    );
    const username = wish.username ?? '';
    const salt = randomBytes(16).toString('hex');
    const mapping: KeptMapping = {
      remotePath: share.remotePath,
      localPath: wish.localPath,
      username,
      persistent: wish.persistent,
      salt,
      fingerprint: fingerprint(share, salt),
    };
    this.#write([...this.#mappings.filter((one) => one !== before), mapping]);
    return mapping;
  }

  /** @param isInUse whether anything of a folder is open. @throws Win32Error */
  disconnect(
    place: { remotePath: string; localPath: string },
    options: { force: boolean; isInUse: (folder: string) => boolean },
  ): void {
    const found = this.#mappings.find(
      (one) => sameText(one.remotePath, place.remotePath) && sameText(one.localPath, place.localPath),
    );
    if (found === undefined) throw refusal('notConnected', place.remotePath);
    const folder = this.#find(found.remotePath)?.folder;
    const isLast = this.#mappings.filter((one) => sameText(one.remotePath, found.remotePath)).length === 1;
    if (!options.force && isLast && folder !== undefined && options.isInUse(folder))
      throw refusal('openFiles', found.remotePath);
    this.#write(this.#mappings.filter((one) => one !== found));
  }

  /** What a shutdown of Windows leaves of the connections. */
  shutDown(): void {
    if (this.#mappings.some((one) => !one.persistent))
      this.#write(this.#mappings.filter((one) => one.persistent));
  }

  #checked(wish: MappingWish): ShareOption {
    const parts = REMOTE_PATH.exec(wish.remotePath)?.groups;
    if (parts === undefined) throw refusal('badNetName', wish.remotePath);
    if (wish.localPath !== '' && !/^[D-Z]:$/i.test(wish.localPath))
      throw refusal('invalidParameter', wish.localPath);
    const { server = '' } = parts;
    if (!this.#knows(server)) throw refusal('badNetPath', wish.remotePath);
    const share = this.#find(wish.remotePath);
    if (share === undefined) throw refusal('badNetName', wish.remotePath);
    if (wish.localPath !== '' && this.#mappings.some((one) => sameText(one.localPath, wish.localPath)))
      throw refusal('alreadyAssigned', wish.localPath);
    const username = wish.username ?? '';
    const others = this.#mappings.filter(
      (one) => sameText(serverOf(one.remotePath), server) && this.#isConnected(one),
    );
    if (others.some((one) => !sameText(one.username, username)))
      throw refusal('sessionCredentialConflict', wish.remotePath);
    if (share.username === undefined) return share;
    if (username === '') throw refusal('accessDenied', wish.remotePath);
    const isRight =
      sameText(withoutDomain(share.username), withoutDomain(username)) &&
      wish.password === (share.password ?? '');
    if (!isRight) throw refusal('logonFailure', wish.remotePath);
    return share;
  }

  #connected(share: ShareOption): Mapping | undefined {
    return this.#mappings.find((one) => sameText(one.remotePath, share.remotePath) && this.#isConnected(one));
  }

  /** The share is there, and its credentials are those that the connection was made with. */
  #isConnected(mapping: KeptMapping): boolean {
    const share = this.#find(mapping.remotePath);
    if (share === undefined) return false;
    const [now, then] = [fingerprint(share, mapping.salt), mapping.fingerprint].map((text) =>
      Buffer.from(text, 'hex'),
    );
    return now !== undefined && then?.length === now.length && timingSafeEqual(now, then);
  }

  #knows(server: string): boolean {
    return this.#shares.some((share) => sameText(serverOf(share.remotePath), server));
  }

  #find(remotePath: string): ShareOption | undefined {
    return this.#shares.find((share) => sameText(share.remotePath, remotePath));
  }

  #write(mappings: readonly KeptMapping[]): void {
    this.#files.write(FILE, { format: 1, mappings });
    this.#mappings = mappings;
  }
}

const TEXTS: Readonly<Record<keyof typeof WIN32, string>> = {
  accessDenied: 'Access is denied.',
  badNetPath: 'The network path was not found.',
  badNetName: 'The network name cannot be found.',
  alreadyAssigned: 'The local device name is already in use.',
  invalidParameter: 'The parameter is incorrect.',
  sessionCredentialConflict:
    'Multiple connections to a server or shared resource by the same user, using more than one user name, are not allowed.',
  logonFailure: 'The user name or password is incorrect.',
  notConnected: 'This network connection does not exist.',
  openFiles: 'This network connection has files open or requests pending.',
};

function refusal(why: keyof typeof WIN32, what: string): Win32Error {
  return new Win32Error(WIN32[why], `${TEXTS[why]} (${what.slice(0, 300)})`);
}

function serverOf(remotePath: string): string {
  return remotePath.split('\\')[2] ?? '';
}

/** `DOMAIN\user` and `user` name the same account of a file server. */
function withoutDomain(username: string): string {
  return username.replace(/^[^\\]*\\/, '');
}

function fingerprint(share: ShareOption, salt: string): string {
  return createHash('sha256')
    .update(JSON.stringify([salt, share.username ?? '', share.password ?? '']))
    .digest('hex');
}

function wrong(why: string): EmulatorError {
  return new EmulatorError('EMULATOR_OPTION', why);
}

function checkShares(shares: readonly ShareOption[]): void {
  if (shares.length > MOST_SHARES) throw wrong(`A host knows at most ${MOST_SHARES} shares.`);
  for (const [index, { remotePath, username, password }] of shares.entries()) {
    if (!REMOTE_PATH.test(remotePath))
      throw wrong(`'${remotePath}' is no share: ${String.raw`\\SERVER\SHARE`} is needed.`);
    if (shares.findIndex((other) => sameText(other.remotePath, remotePath)) !== index)
      throw wrong(`The share '${remotePath}' is there twice.`);
    if ((username === undefined) !== (password === undefined) || username === '')
      throw wrong(`The share '${remotePath}' needs a user name and a password, or neither.`);
  }
}

function readMappings(files: StateFiles): readonly KeptMapping[] {
  const content = files.read(FILE);
  if (content === undefined) return [];
  const mappings: unknown =
    typeof content === 'object' && content !== null && 'mappings' in content ? content.mappings : undefined;
  if (!Array.isArray(mappings) || !mappings.every(isKept))
    throw damaged(`${files.folder}/${FILE}.json`, 'it holds no connections to shares');
  return mappings;
}

function isKept(entry: unknown): entry is KeptMapping {
  if (typeof entry !== 'object' || entry === null) return false;
  const values = new Map<string, unknown>(Object.entries(entry));
  return (
    ['remotePath', 'localPath', 'username', 'salt', 'fingerprint'].every(
      (key) => typeof values.get(key) === 'string',
    ) && typeof values.get('persistent') === 'boolean'
  );
}
