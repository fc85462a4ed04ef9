import type { PciDeviceOption, ShareOption, WindowsRelease } from '@nova-hyperv/emulator';
import { CliError, EXIT } from '../errors.js';

/** An emulated host as configured. */
export interface HostSpec {
  /** Computer name; also the compute service's host and the hypervisor's name. */
  readonly name: string;
  readonly release: WindowsRelease;
  /** NUMA nodes; 1 when it is not said. */
  readonly numaNodes?: number;
  /** MB; this machine's own when it is not said. */
  readonly memoryMb?: number;
  /** Whether a machine may have memory of several NUMA nodes; it may when it is not said. */
  readonly numaSpanning?: boolean;
  /** It may run shielded machines. */
  readonly guarded?: boolean;
  /** Physical PCI devices of the emulated host. */
  readonly pciDevices?: readonly PciDeviceOption[];
  readonly remoteFx?: 'present' | 'removed';
  /** Shares of file servers that it reaches, with the accounts that may connect. */
  readonly shares?: readonly ShareOption[];
}

export const RELEASES: readonly WindowsRelease[] = ['2012R2', '2016', '2019', '2022', '2025'];

/** Devices that an emulated host can have. */
const PCI_MODELS: readonly PciDeviceOption['model'][] = ['edu', 'pci-testdev', 'e1000e', 'qemu-xhci'];

export const DEFAULT_HOSTS: readonly HostSpec[] = [{ name: 'hyperv1', release: '2022' }];

/** NetBIOS computer names: 1 to 15 letters, digits and hyphens, not digits alone. */
const COMPUTER_NAME = /^(?!\d+$)[A-Za-z0-9]([A-Za-z0-9-]{0,13}[A-Za-z0-9])?$/;

/** What may follow a host's name and release, as in `hyperv1:2022,numa=2,memory=32G,spanning=off,pci=edu`. */
const OPTIONS: Readonly<
  Record<string, (value: string, so: Partial<HostSpec>) => Partial<HostSpec> | undefined>
> = {
  numa: (value) => (/^[1-9]\d?$/.test(value) ? { numaNodes: Number(value) } : undefined),
  memory: (value) => {
    const memoryMb = parseMemory(value);
    return memoryMb === undefined ? undefined : { memoryMb };
  },
  pci: (value, so) => ({ pciDevices: [...(so.pciDevices ?? []), parsePciDevice(value)] }),
  remotefx: (value) =>
    value === '' || value === 'removed'
      ? { remoteFx: value === 'removed' ? 'removed' : 'present' }
      : undefined,
  spanning: (value) => (value === 'on' || value === 'off' ? { numaSpanning: value === 'on' } : undefined),
  guarded: (value) => (value === 'on' || value === 'off' ? { guarded: value === 'on' } : undefined),
};

/** `32G` or `4096M` in MB; undefined when it is neither. */
export function parseMemory(text: string): number | undefined {
  const [, amount, unit] = /^([1-9]\d{0,6})([GM])$/i.exec(text) ?? [];
  return amount === undefined ? undefined : Number(amount) * (unit?.toUpperCase() === 'G' ? 1024 : 1);
}

function parseOptions(argument: string, options: readonly string[]): Partial<HostSpec> {
  let spec: Partial<HostSpec> = {};
  for (const option of options) {
    const [key = '', value = ''] = option.split('=');
    const parsed = Object.hasOwn(OPTIONS, key) ? OPTIONS[key]?.(value, spec) : undefined;
    if (parsed === undefined) {
      throw new CliError(
        `--host ${argument}: ${option} is none of numa=NODES, memory=32G (or 4096M), spanning=on (or off), guarded=on (or off), pci=MODEL (or MODEL:mounted), remotefx (or remotefx=removed)`,
        EXIT.usage,
      );
    }
    spec = { ...spec, ...parsed };
  }
  return spec;
}

/**
 * Parses `NAME:RELEASE[,numa=N][,memory=32G][,spanning=off][,guarded=on][,pci=MODEL[:mounted]…][,remotefx[=removed]]`; the release may
 * be left out (2022).
 */
export function parseHost(argument: string): HostSpec {
  const [identity = '', ...options] = argument.split(',');
  const [name = '', release = '2022', ...rest] = identity.split(':');
  const known = RELEASES.find((candidate) => candidate.toLowerCase() === release.toLowerCase());
  if (rest.length > 0 || !COMPUTER_NAME.test(name)) {
    throw new CliError(
      `--host ${argument}: expected NAME:RELEASE, with a computer name of 1 to 15 letters, digits and hyphens`,
      EXIT.usage,
    );
  }
  if (known === undefined) {
    throw new CliError(
      `--host ${argument}: unknown Windows release; known are ${RELEASES.join(', ')}`,
      EXIT.usage,
    );
  }
  return { name, release: known, ...parseOptions(argument, options) };
}

/** `MODEL`, or `MODEL:mounted` for a device that the host has not given up. */
export function parsePciDevice(text: string): PciDeviceOption {
  const [name = '', state, ...rest] = text.split(':');
  const model = PCI_MODELS.find((known) => known === name);
  if (model === undefined || rest.length > 0 || (state !== undefined && state !== 'mounted')) {
    throw new CliError(
      `PCI device ${text}: expected MODEL or MODEL:mounted; models are ${PCI_MODELS.join(', ')}`,
      EXIT.usage,
    );
  }
  return state === undefined ? { model } : { model, mounted: true };
}

/**
 * The hosts to run: those of the state folder plus those given now. A host keeps its release for life, because its
 * machines were made for it.
 */
export function mergeHosts(stored: readonly HostSpec[], given: readonly HostSpec[]): readonly HostSpec[] {
  const merged = new Map(stored.map((host) => [host.name.toLowerCase(), host]));
  for (const host of given) {
    const old = merged.get(host.name.toLowerCase());
    if (old !== undefined && old.release !== host.release) {
      throw new CliError(
        `host ${old.name} runs Windows Server ${old.release} in this state folder and cannot become ${host.release}; choose another name or another --state`,
        EXIT.usage,
      );
    }
    // Its hardware may change, as that of a real host may.
    merged.set(host.name.toLowerCase(), { ...old, ...host, name: old?.name ?? host.name });
  }
  return merged.size > 0 ? [...merged.values()] : DEFAULT_HOSTS;
}
