import { WBEM, WmiError } from '@nova-hyperv/wsman';
import type { CimInstance } from '@nova-hyperv/wsman';
import { instance, isTrue, textOf } from '../cim.js';
import { completed } from '../methods.js';
import type { MethodCall, MethodHandler } from '../methods.js';
import type { MachineRegistry } from '../machines/registry.js';
import type { InstanceSource } from '../store/store.js';
import type { FileServers, Mapping } from './file-servers.js';
import { Win32Error } from './file-servers.js';

export const SMB = 'root/Microsoft/Windows/SMB';

/** Shares that every Windows has. Source: Microsoft, "Remove administrative shares". */
const ADMINISTRATIVE_SHARES = [
  { Name: 'ADMIN$', Path: String.raw`C:\Windows`, Description: 'Remote Admin' },
  { Name: 'C$', Path: 'C:\\', Description: 'Default share' },
  { Name: 'IPC$', Path: '', Description: 'Remote IPC' },
] as const;

/** The SMB client's mappings and the host's own shares. Source: SMB Management API. */
export function smbSources(servers: FileServers): readonly InstanceSource[] {
  return [
    {
      namespace: SMB,
      className: 'MSFT_SmbMapping',
      list: () => servers.mappings().map((one) => mappingInstance(one, one.isConnected)),
    },
    { namespace: SMB, className: 'MSFT_SmbShare', list: () => ADMINISTRATIVE_SHARES.map(shareInstance) },
  ];
}

/**
 * Refusals are WMI errors with the Win32 code as an HRESULT (0x80070035 for 53), as PowerShell's "Windows System Error
 * 53" of New-SmbMapping tells.
 */
export function smbMethods(
  servers: FileServers,
  machines: MachineRegistry,
): Readonly<Record<string, MethodHandler>> {
  return {
    Create: (call) =>
      refused(() => {
        const made = servers.connect({
          remotePath: optional(call, 'RemotePath') ?? '',
          localPath: optional(call, 'LocalPath') ?? '',
          username: optional(call, 'UserName'),
          password: optional(call, 'Password'),
          persistent: call.raw('Persistent') !== false,
        });
        return completed({ Output: mappingInstance(made, true) });
      }),
    Remove: (call) =>
      refused(() => {
        const { RemotePath, LocalPath } = call.target.properties;
        servers.disconnect(
          { remotePath: textOf(RemotePath), localPath: textOf(LocalPath) },
          {
            force: isTrue(call.raw('Force')),
            isInUse: (folder) =>
              machines.filesInUse().some((file) => file.startsWith(`${folder}/`)) ||
              machines.holds.isAnyHeldIn(folder),
          },
        );
        return completed();
      }),
  };
}

function refused<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Win32Error)) throw error;
    throw new WmiError(0x8007_0000 + error.win32, error.message, { cause: error });
  }
}

function optional(call: MethodCall, name: string): string | undefined {
  const value = call.raw(name);
  if (value === null) return undefined;
  if (typeof value === 'string') return value;
  throw new WmiError(WBEM.invalidMethodParameters, `${name}: a text is needed.`);
}

function mappingInstance(mapping: Mapping, isConnected: boolean): CimInstance {
  return instance(SMB, 'MSFT_SmbMapping', {
    LocalPath: mapping.localPath,
    RemotePath: mapping.remotePath,
    // 0 OK, 6 unavailable
    Status: isConnected ? 0 : 6,
    RequireIntegrity: false,
    RequirePrivacy: false,
    UseWriteThrough: false,
  });
}

function shareInstance(share: (typeof ADMINISTRATIVE_SHARES)[number]): CimInstance {
  return instance(SMB, 'MSFT_SmbShare', {
    ...share,
    ScopeName: '*',
    Scoped: false,
    Special: true,
    Temporary: false,
    ContinuouslyAvailable: false,
    EncryptData: false,
    ShareState: 1,
    ShareType: share.Name === 'IPC$' ? 3 : 0,
    CurrentUsers: 0,
  });
}
