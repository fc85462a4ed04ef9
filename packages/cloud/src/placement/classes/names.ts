import type { Reader } from '../deps.js';

/** os-resource-classes 1.1 (os_resource_classes/__init__.py, `STANDARDS`). */
export const STANDARD_CLASSES: readonly string[] = [
  'VCPU',
  'MEMORY_MB',
  'DISK_GB',
  'PCI_DEVICE',
  'SRIOV_NET_VF',
  'NUMA_SOCKET',
  'NUMA_CORE',
  'NUMA_THREAD',
  'NUMA_MEMORY_MB',
  'IPV4_ADDRESS',
  'VGPU',
  'VGPU_DISPLAY_HEAD',
  'NET_BW_EGR_KILOBIT_PER_SEC',
  'NET_BW_IGR_KILOBIT_PER_SEC',
  'PCPU',
  'MEM_ENCRYPTION_CONTEXT',
  'FPGA',
  'PGPU',
  'NET_PACKET_RATE_KILOPACKET_PER_SEC',
  'NET_PACKET_RATE_EGR_KILOPACKET_PER_SEC',
  'NET_PACKET_RATE_IGR_KILOPACKET_PER_SEC',
];

const STANDARD: ReadonlySet<string> = new Set(STANDARD_CLASSES);
const CUSTOM = /^CUSTOM_[A-Z0-9_]{1,248}$/;

export const isCustomClassName = (name: string): boolean => CUSTOM.test(name);
export const isStandardClass = (name: string): boolean => STANDARD.has(name);

/** Those of `names` that are neither standard classes nor made by this deployment. */
export async function unknownClasses(db: Reader, names: readonly string[]): Promise<readonly string[]> {
  const others = names.filter((name) => !STANDARD.has(name));
  if (others.length === 0) return [];
  const rows = await db
    .selectFrom('placement_custom_class')
    .select('name')
    .where('name', 'in', others)
    .execute();
  const known = new Set(rows.map((row) => row.name));
  return others.filter((name) => !known.has(name));
}
