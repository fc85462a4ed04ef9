import type { DriverContext } from './context.js';
import { parseHostPath } from '@nova-hyperv/hyperv';
import type { AssignableDevice, HostFacts } from '@nova-hyperv/hyperv';
import type { HostResources, PciDevice } from './types.js';

/** Win32_Processor.Architecture */
const ARCHITECTURES: Readonly<Record<number, string>> = {
  0: 'i686',
  1: 'mips',
  2: 'alpha',
  3: 'ppc',
  5: 'armv7',
  6: 'ia64',
  9: 'x86_64',
};
const GIB = 1024 ** 3;

/** For the resource tracker: memory and disk as they are now, the rest as it was at the connection. Two queries. */
export async function hostResources(
  { host, config }: DriverContext,
  nodeName: string,
): Promise<HostResources> {
  const { drive } = parseHostPath(config.instancesPath);
  const [facts, memory, volume] = await Promise.all([host.facts(), host.memory(), host.volume(`${drive}:`)]);
  const devices = await deviceResources(host, config, facts);
  const { processors, version } = facts;
  const sizeGb = Math.floor(volume.sizeBytes / GIB);
  const freeGb = Math.floor(volume.freeBytes / GIB);
  return {
    hypervisorHostname: nodeName,
    hypervisorType: 'hyperv',
    hypervisorVersion: version.major * 1000 + version.minor,
    windowsVersion: `${version.major}.${version.minor}.${version.build}`,
    vcpus: facts.logicalProcessors,
    memoryMb: memory.totalMb,
    memoryMbUsed: memory.totalMb - memory.freeMb,
    localGb: sizeGb,
    localGbUsed: sizeGb - freeGb,
    diskAvailableLeastGb: freeGb,
    cpuInfo: {
      arch: ARCHITECTURES[processors.architecture] ?? 'x86_64',
      model: processors.model,
      vendor: processors.vendor,
      topology: {
        cells: facts.numaNodes,
        sockets: processors.sockets,
        cores: processors.coresPerSocket,
        threads: processors.threadsPerCore,
      },
      // The instruction sets can be asked of the processor only on the host itself.
      features: [],
    },
    supportedInstances: [
      ['i686', 'hyperv', 'hvm'],
      ['x86_64', 'hyperv', 'hvm'],
    ],
    ...devices,
    uptimeSeconds:
      facts.bootedAt === undefined ? 0 : Math.max(0, Math.floor((Date.now() - facts.bootedAt) / 1000)),
  };
}

const MEBIBYTE = 1024 * 1024;

/** What is asked for only where the configuration offers it. */
async function deviceResources(
  host: DriverContext['host'],
  config: DriverContext['config'],
  { version }: HostFacts,
): Promise<Pick<HostResources, 'pciDevices' | 'gpus'>> {
  const [devices, gpus] = await Promise.all([
    config.pciPassthrough && version.major >= 10 ? host.pci.list() : [],
    config.enableRemoteFx ? host.graphicsProcessors() : [],
  ]);
  return {
    pciDevices: devices.flatMap(pciDevice),
    gpus: gpus.map((gpu) => ({
      name: gpu.name,
      driverVersion: gpu.driverVersion,
      totalVideoRamMb: Math.floor(gpu.totalVideoBytes / MEBIBYTE),
      availableVideoRamMb: Math.floor(gpu.availableVideoBytes / MEBIBYTE),
      directXVersion: gpu.directXVersion,
    })),
  };
}

/** A device without a place or ids cannot be told apart and is not offered. */
function pciDevice(device: AssignableDevice): readonly PciDevice[] {
  const { address, vendorId, productId } = device;
  if (address === undefined || vendorId === '' || productId === '') return [];
  return [
    {
      address,
      vendorId,
      productId,
      devType: 'type-PCI',
      devId: device.deviceId,
      label: `label_${vendorId}_${productId}`,
      numaNode: null,
    },
  ];
}
