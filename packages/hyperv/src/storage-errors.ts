import type { CimReference } from '@nova-hyperv/wsman';
import { hasCode, HyperVError } from './errors.js';
import { reference } from './machines.js';
import type { HostWire, InvokeOptions } from './wire.js';

/** What Windows means by an HRESULT, and what to do. `final`: asking again changes nothing. */
interface Meaning {
  readonly meaning: string;
  readonly advice: string;
  readonly final?: boolean;
}

/** Win32 codes (as HRESULTs, 0x8007xxxx) of the SMB client, and status codes of the iSCSI initiator. Sources: winerror.h, iscsierr.h. */
const MEANINGS: ReadonlyMap<number, Meaning> = new Map<number, Meaning>([
  [
    0x8007_0005,
    {
      meaning: 'access denied',
      advice: "check the rights of the share's account, or of the service's",
      final: true,
    },
  ],
  [0x8007_0035, { meaning: 'the file server was not found', advice: 'check its name and the network' }],
  [
    0x8007_0043,
    {
      meaning: 'the file server has no such share',
      advice: "check the export in the backend's configuration",
      final: true,
    },
  ],
  [
    0x8007_04c3,
    {
      meaning: 'the host is connected to that server with other credentials already',
      advice:
        'use the same account for all shares of one server, or remove the other connection (Get-SmbMapping)',
      final: true,
    },
  ],
  [
    0x8007_052e,
    {
      meaning: 'the file server refuses user name or password',
      advice: "correct the mount options of the volume's backend",
      final: true,
    },
  ],
  [
    0xefff_0002,
    { meaning: 'the login failed', advice: 'check that the target allows this initiator', final: true },
  ],
  [
    0xefff_0003,
    {
      meaning: 'the portal does not answer',
      advice: 'check the storage network between this host and the portal',
    },
  ],
  [
    0xefff_0009,
    {
      meaning: 'the target refuses the CHAP user name or secret',
      advice: "check the target's CHAP account; Windows takes secrets of 12 to 16 characters",
      final: true,
    },
  ],
  [
    0xefff_000a,
    {
      meaning: 'the target does not admit this initiator',
      advice: "check the target's access list",
      final: true,
    },
  ],
  [0xefff_000b, { meaning: 'the target was not found', advice: 'check that the portal still exports it' }],
  [0xefff_0029, { meaning: 'the target was not found', advice: 'check that the portal still exports it' }],
  [
    0xefff_004a,
    {
      meaning: 'Windows does not take the CHAP secret',
      advice: 'give the target one of 12 to 16 characters',
      final: true,
    },
  ],
  [
    0xefff_003e,
    {
      meaning: 'the iSCSI initiator service does not run',
      advice: 'on the host: Start-Service MSiSCSI; Set-Service MSiSCSI -StartupType Automatic',
      final: true,
    },
  ],
  [
    0xefff_0040,
    { meaning: 'a disk of the session is in use', advice: 'see which program of the host has it open' },
  ],
]);

export const ALREADY_LOGGED_IN = 0xefff_003f;
/** ERROR_NOT_CONNECTED, ERROR_OPEN_FILES. */
export const NOT_CONNECTED = 0x8007_08ca;
export const OPEN_FILES = 0x8007_0961;

/** The HRESULT that a fault or a return value carries, as an unsigned number; undefined without one. */
export function hresultOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  if ('hresult' in error && typeof error.hresult === 'number') return error.hresult >>> 0;
  if ('returnValue' in error && typeof error.returnValue === 'number') {
    const value = error.returnValue >>> 0;
    // A method may answer the bare Win32 code.
    return value > 0 && value < 0x1_0000 ? 0x8007_0000 + value : value;
  }
  return undefined;
}

/** Whether asking again is in vain: the credentials are wrong, the share does not exist. */
export function isFinalStorageError(error: unknown): boolean {
  const hresult = hresultOf(error);
  return hresult !== undefined && MEANINGS.get(hresult)?.final === true;
}

/**
 * Calls a storage method. What Windows refuses becomes an error that names `what` was to be done and what to do about it; parameters,
 * which may be secrets, are in no message.
 */
export async function callStorage(
  wire: HostWire,
  target: CimReference,
  method: string,
  parameters: Parameters<HostWire['call']>[2],
  what: string,
  options: InvokeOptions = {},
): ReturnType<HostWire['call']> {
  try {
    return await wire.call(target, method, parameters, options);
  } catch (error) {
    throw explained(error, wire, what);
  }
}

function explained(error: unknown, wire: HostWire, what: string): unknown {
  if (!hasCode(error, 'WSMAN_FAULT', 'HYPERV_REFUSED') || !(error instanceof Error)) return error;
  const hresult = hresultOf(error);
  const known = hresult === undefined ? undefined : MEANINGS.get(hresult);
  if (known === undefined) return error;
  const code = `0x${(hresult ?? 0).toString(16)}`;
  return new HyperVError(
    'HYPERV_REFUSED',
    `Host ${wire.host} could not ${what}: ${known.meaning} (${code}); ${known.advice}.`,
    { host: wire.host, hresult, cause: error },
  );
}

/** A class of another namespace, for its static methods; with keys, one of its objects. */
export function inNamespace(
  namespace: string,
  className: string,
  keys: Readonly<Record<string, string>> = {},
): CimReference {
  return { ...reference(className, keys), namespace };
}
