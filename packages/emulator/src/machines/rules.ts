import type { CimInstance, CimReference, Schema } from '@nova-hyperv/wsman';
import type { HostDisk } from '../storage/host-disks.js';
import type { Clock } from '../clock.js';
import type { HostPci, HostPciDevice } from '../devices/host-pci.js';
import type { RemoteFx } from '../options.js';
import type { Machine } from './model.js';
import type { DrivePaths } from '../paths.js';
import type { NumaTopology } from '../numa/topology.js';
import type { Release } from '../releases.js';

/** What the rules need to know of the host. */
export interface RuleHost {
  readonly name: string;
  readonly release: Release;
  readonly schema: Schema;
  readonly paths: DrivePaths;
  readonly clock: Clock;
  readonly processors: number;
  readonly memoryMb: number;
  readonly numa: NumaTopology;
  readonly cluster: string | undefined;
  /** The host guardian client is configured and the host was attested. */
  readonly guarded: boolean;
  /** Those whose key protectors this host can unwrap. */
  readonly guardians: readonly string[];
  /** Call shapes that are refused. */
  readonly refuse: ReadonlySet<string>;
  /** A new GUID, upper case. */
  newGuid(): string;
  /** The virtual switch that a reference names. */
  findSwitch(reference: CimReference): CimInstance | undefined;
  /** A disk of the host by its Windows number. */
  findDisk(number: number): HostDisk | undefined;
  /** Drives of machines that a disk was given to, running or not. */
  diskUsers(number: number): readonly { readonly machine: Machine; readonly drive: CimInstance }[];
  readonly pci: HostPci;
  /** The machine that has a physical device. */
  holderOf(device: HostPciDevice): Machine | undefined;
  readonly remoteFx: RemoteFx;
}
