import type { ComputeService, PciAlias } from '@nova-hyperv/compute';
import type { CloudKernel } from '../kernel/service.js';
import type { NovaConfig } from './config.js';
import type { ComputeRegistry, ImageApi, NetworkApi, PlacementApi, VolumeApi } from './ports.js';
import type { ComputeDatabase } from './store/tables.js';

/** What `createNovaService` is given beside the kernel. */
export interface NovaDeps {
  /** Compute services of this process by host; looked up when needed, so one may register late. */
  readonly computes: ComputeRegistry;
  readonly config?: Partial<NovaConfig>;
  /** Other services of the cloud; over REST when left out. */
  readonly images?: ImageApi;
  readonly networks?: NetworkApi;
  readonly placement?: PlacementApi;
  readonly volumesAs?: (token: string) => VolumeApi;
  readonly now?: () => Date;
  /** 0 ≤ x < 1: order of equal hosts. */
  readonly random?: () => number;
}

/** What the parts of the compute service share. */
export interface Nova {
  readonly kernel: CloudKernel;
  readonly db: ComputeDatabase;
  readonly config: NovaConfig;
  /** By name, of `[pci] alias`. */
  readonly pciAliases: ReadonlyMap<string, PciAlias>;
  readonly images: ImageApi;
  readonly networks: NetworkApi;
  readonly placement: PlacementApi;
  /** Cinder as the owner of a token. */
  readonly volumesAs: (token: string) => VolumeApi;
  /** Servers that are being stored while their volumes are reserved already. */
  readonly reserving: Set<string>;
  readonly now: () => Date;
  readonly random: () => number;
  /** Undefined while the host has no compute service in this process. */
  compute(host: string): ComputeService | undefined;
  /** Tells the conductor that there is something to build. */
  wakeConductor(): void;
}

export const lookupCompute = (registry: ComputeRegistry, host: string): ComputeService | undefined =>
  typeof registry === 'function' ? registry(host) : registry.get(host);
