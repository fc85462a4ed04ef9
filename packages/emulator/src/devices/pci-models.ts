/**
 * Physical PCI devices that an emulated host can have: harmless ones that QEMU can put into a guest. Ids are those that a guest reads
 * (QEMU, docs/specs: edu, pci-testdev; the 82574L's and the xHCI controller's own).
 */
export interface PciModel {
  /** Four upper-case hexadecimal digits each, as Windows writes them. */
  readonly vendorId: string;
  readonly deviceId: string;
  /** Subsystem id, then subsystem vendor id. */
  readonly subsystem: string;
  readonly revision: string;
  readonly description: string;
  readonly pnpClass: string;
}

export const PCI_MODELS = {
  edu: {
    vendorId: '1234',
    deviceId: '11E8',
    subsystem: '11001AF4',
    revision: '10',
    description: 'PCI Device for Education',
    pnpClass: 'System',
  },
  'pci-testdev': {
    vendorId: '1B36',
    deviceId: '0005',
    subsystem: '11001AF4',
    revision: '00',
    description: 'PCI Test Device',
    pnpClass: 'System',
  },
  e1000e: {
    vendorId: '8086',
    deviceId: '10D3',
    subsystem: '00008086',
    revision: '00',
    description: 'Intel(R) 82574L Gigabit Network Connection',
    pnpClass: 'Net',
  },
  'qemu-xhci': {
    vendorId: '1B36',
    deviceId: '000D',
    subsystem: '11001AF4',
    revision: '01',
    description: 'USB xHCI Compliant Host Controller',
    pnpClass: 'USB',
  },
} as const satisfies Readonly<Record<string, PciModel>>;

export type PciModelName = keyof typeof PCI_MODELS;
