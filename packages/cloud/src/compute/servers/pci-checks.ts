import { ComputeError, pciRequestsOf } from '@nova-hyperv/compute';
import { badRequest } from '../../kernel/errors.js';
import type { Nova } from '../deps.js';
import type { FlavorRecord } from '../store/flavors.js';

/** Refuses flavors whose PCI devices nobody has named in `[pci] alias`, before anything is stored. Throws 400. */
export function checkPciRequests(nova: Nova, flavor: Pick<FlavorRecord, 'extraSpecs'>): void {
  try {
    pciRequestsOf(flavor, nova.pciAliases);
  } catch (error) {
    if (error instanceof ComputeError) throw badRequest(error.message);
    throw error;
  }
}
