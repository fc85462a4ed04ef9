import type { Flavor, PciDevice } from '@nova-hyperv/driver';
import { ComputeError } from '../errors.js';
import type { InstanceRecord } from '../ports.js';
import { parseAliases, pciRequestsOf } from './alias.js';
import type { PciAlias } from './alias.js';
import { assignDevices } from './assign.js';
import type { ClaimedPciDevice, OfferedPciDevice } from './assign.js';
import { parseDeviceSpecs } from './device-spec.js';
import type { DeviceSpec } from './device-spec.js';

/** The options that decide about PCI devices. */
export interface PciOptions {
  /** JSON texts. */
  readonly pciDeviceSpec: readonly string[];
  readonly pciAlias: readonly string[];
}

/**
 * Which instance holds which PCI device of the host (nova/pci/manager.py). What an instance holds is kept with the instance, so that
 * it survives the service; here it is only remembered.
 */
export class PciTracker {
  readonly #specs: readonly DeviceSpec[];
  readonly #aliases: ReadonlyMap<string, PciAlias>;
  readonly #held = new Map<string, readonly ClaimedPciDevice[]>();
  #offered: readonly OfferedPciDevice[] = [];

  /** @throws ComputeError PciConfigInvalidSpec, PciInvalidAlias */
  constructor(options: PciOptions) {
    this.#specs = parseDeviceSpecs(options.pciDeviceSpec);
    this.#aliases = parseAliases(options.pciAlias);
  }

  /** The host's devices as it tells them; those that no device_spec names are not offered. */
  setDevices(devices: readonly PciDevice[]): void {
    this.#offered = devices
      .flatMap((device) => {
        const spec = this.#specs.find((candidate) => candidate.matches(device));
        if (spec === undefined) return [];
        const { address, vendorId, productId, devType } = device;
        return [{ address, vendorId, productId, devType, tags: spec.tags }];
      })
      .toSorted((a, b) => (a.address < b.address ? -1 : 1));
  }

  offered(): readonly OfferedPciDevice[] {
    return this.#offered;
  }

  /** What the instance holds as the store says. */
  remember(record: Pick<InstanceRecord, 'uuid' | 'pciDevices'>): void {
    if (record.pciDevices.length === 0) this.#held.delete(record.uuid);
    else this.#held.set(record.uuid, record.pciDevices);
  }

  /**
   * Takes the devices that the flavor asks for, and keeps those that the instance holds already where they fit. The caller saves them
   * with the instance.
   * @throws ComputeError PciDeviceRequestFailed (scope host), PciRequestAliasNotDefined
   */
  claim(uuid: string, flavor: Flavor): readonly ClaimedPciDevice[] {
    const requests = pciRequestsOf(flavor, this.#aliases);
    const own = new Set((this.#held.get(uuid) ?? []).map(({ address }) => address));
    const others = new Set(
      [...this.#held]
        .filter(([holder]) => holder !== uuid)
        .flatMap(([, held]) => held.map((one) => one.address)),
    );
    const free = this.#offered
      .filter(({ address }) => !others.has(address))
      .toSorted((a, b) => Number(own.has(b.address)) - Number(own.has(a.address)));
    const devices = assignDevices(free, requests);
    if (devices === undefined) {
      const wanted = requests.map(({ aliasName, count }) => `${aliasName}:${count}`).join(',');
      throw new ComputeError(
        'PciDeviceRequestFailed',
        `PCI device request ${wanted} failed: ${free.length} of the ${this.#offered.length} devices that this host offers are free, and they do not serve it.`,
        { scope: 'host' },
      );
    }
    this.remember({ uuid, pciDevices: devices });
    return devices;
  }

  /**
   * Takes what another flavor asks for beside what the instance holds, so that either can be had afterwards ({@link settledDevices}).
   * Throws what {@link claim} does, and has changed nothing then.
   */
  claimResize(uuid: string, flavor: Flavor): readonly ClaimedPciDevice[] {
    const before = this.#held.get(uuid) ?? [];
    const after = this.claim(uuid, flavor);
    const pciDevices: readonly ClaimedPciDevice[] = [
      ...before.map((one) => (isIn(after, one) ? one : { ...one, only: 'old' as const })),
      ...after.filter((one) => !isIn(before, one)).map((one) => ({ ...one, only: 'new' as const })),
    ];
    this.remember({ uuid, pciDevices });
    return pciDevices;
  }

  release(uuid: string): void {
    this.#held.delete(uuid);
  }

  /** Instances that {@link remember} and {@link claim} know. */
  holders(): readonly string[] {
    return [...this.#held.keys()];
  }
}

function isIn(list: readonly ClaimedPciDevice[], { address }: ClaimedPciDevice): boolean {
  return list.some((one) => one.address === address);
}
