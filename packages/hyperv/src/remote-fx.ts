import type { HostWire } from './wire.js';

/** What a host says of RemoteFX. */
export interface RemoteFxFacts {
  /** The server role service "Remote Desktop Virtualization Host" (Win32_ServerFeature 322). */
  readonly hasRole: boolean;
  /** A graphics processor with a fitting DirectX; undefined when the host has no pool of such adapters. */
  readonly gpuCapable: boolean | undefined;
  readonly slatCapable: boolean | undefined;
}

/** A physical graphics processor that is enabled for RemoteFX. Bytes. */
export interface GraphicsProcessor {
  readonly name: string;
  readonly driverVersion: string;
  readonly totalVideoBytes: number;
  readonly availableVideoBytes: number;
  readonly directXVersion: string;
}

/** Win32_ServerFeature: Remote Desktop Virtualization Host. */
const REMOTE_DESKTOP_VIRTUALIZATION_HOST = 322;

/** Two queries at once. */
export async function readRemoteFx(wire: HostWire): Promise<RemoteFxFacts> {
  const [features, pools] = await Promise.all([
    wire.select('Win32_ServerFeature', ['ID'], `ID=${REMOTE_DESKTOP_VIRTUALIZATION_HOST}`),
    wire.select('Msvm_Synth3dVideoPool', ['IsGPUCapable', 'IsSLATCapable']),
  ]);
  const pool = pools[0]?.properties;
  return {
    hasRole: features.length > 0,
    gpuCapable: pool?.IsGPUCapable ?? undefined,
    slatCapable: pool?.IsSLATCapable ?? undefined,
  };
}

export async function readGraphicsProcessors(wire: HostWire): Promise<readonly GraphicsProcessor[]> {
  const rows = await wire.select(
    'Msvm_Physical3dGraphicsProcessor',
    ['Name', 'DriverVersion', 'TotalVideoMemory', 'AvailableVideoMemory', 'DirectXVersion'],
    'EnabledForVirtualization=TRUE',
  );
  return rows.map(({ properties }) => ({
    name: properties.Name ?? '',
    driverVersion: properties.DriverVersion ?? '',
    totalVideoBytes: Number(properties.TotalVideoMemory ?? 0n),
    availableVideoBytes: Number(properties.AvailableVideoMemory ?? 0n),
    directXVersion: properties.DirectXVersion ?? '',
  }));
}
