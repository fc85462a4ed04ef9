import type { DiskInfo } from '@nova-hyperv/vhd';
import { DEFAULT_CONFIG } from '../config.js';
import type { BaseImage, EarlyPlanInput, PlanHostFacts, PlanInput } from '../plan/input.js';
import { plan } from '../plan/plan.js';
import type { DriveSpec } from '../plan/vm-spec.js';
import type { Flavor, ImageMeta, Instance, Vif } from '../types.js';

const MIB = 1024 * 1024;

const INSTANCE_UUID = '2f1c0d3e-0000-4000-8000-000000000001';
export const IMAGE_ID = '7a4f1c5e-1111-4000-8000-000000000002';
export const SWITCH_ID = '0A1B2C3D-2222-4000-8000-000000000003';

export function flavor(changes: Partial<Flavor> = {}): Flavor {
  return {
    flavorId: '1',
    name: 'm1.tiny',
    vcpus: 1,
    memoryMb: 512,
    rootGb: 1,
    ephemeralGb: 0,
    swapMb: 0,
    extraSpecs: {},
    ...changes,
  };
}

export function instance(changes: Partial<Instance> = {}): Instance {
  return {
    uuid: INSTANCE_UUID,
    name: 'instance-00000001',
    hostname: 'vm1',
    displayName: 'vm1',
    projectId: 'p',
    userId: 'u',
    imageRef: IMAGE_ID,
    flavor: flavor(),
    metadata: {},
    ...changes,
  };
}

export function image(changes: Partial<ImageMeta> = {}): ImageMeta {
  return {
    id: IMAGE_ID,
    name: 'guest',
    diskFormat: 'vhdx',
    containerFormat: 'bare',
    sizeBytes: 4 * MIB,
    minDiskGb: 0,
    minRamMb: 0,
    properties: { hw_machine_type: 'hyperv-gen2' },
    ...changes,
  };
}

export function vif(number = 1, changes: Partial<Vif> = {}): Vif {
  const suffix = number.toString(16).padStart(2, '0');
  return {
    portId: `9c8b7a6d-3333-4000-8000-0000000000${suffix}`,
    mac: `fa:16:3e:00:00:${suffix}`,
    networkId: 'n',
    networkLabel: 'private',
    vifType: 'hyperv',
    mtu: 1500,
    active: true,
    fixedIps: [],
    ...changes,
  };
}

export function hostFacts(changes: Partial<PlanHostFacts> = {}): PlanHostFacts {
  return {
    name: 'HV1',
    windowsVersion: { major: 10, minor: 0, build: 20348 },
    logicalProcessors: 8,
    processorMhz: 2000,
    clustered: false,
    switches: [{ id: SWITCH_ID, name: 'external', external: true }],
    ...changes,
  };
}

export function diskInfo(changes: Partial<DiskInfo> = {}): DiskInfo {
  return {
    path: '/base',
    format: 'vhdx',
    type: 'dynamic',
    virtualSize: 64 * MIB,
    fileSize: 4 * MIB,
    blockSize: 32 * MIB,
    logicalSectorSize: 512,
    physicalSectorSize: 4096,
    identifier: '00000000-0000-0000-0000-000000000000',
    ...changes,
  };
}

export function base(changes: Partial<DiskInfo> = {}): BaseImage {
  const info = diskInfo(changes);
  return { kind: 'disk', path: `C:\\OpenStack\\Instances\\_base\\${IMAGE_ID}.${info.format}`, info };
}

export function vhdBase(changes: Partial<DiskInfo> = {}): BaseImage {
  return base({ format: 'vhd', blockSize: 2 * MIB, physicalSectorSize: 512, ...changes });
}

export function earlyInput(changes: Partial<EarlyPlanInput> = {}): EarlyPlanInput {
  return {
    instance: instance(),
    image: image(),
    vifs: [vif()],
    host: hostFacts(),
    config: DEFAULT_CONFIG,
    ...changes,
  };
}

export function planInput(changes: Partial<PlanInput> = {}): PlanInput {
  return { ...earlyInput(), base: base(), ...changes };
}

export function plannedDrives(changes: Partial<PlanInput>): readonly DriveSpec[] {
  return plan(planInput(changes)).vm.drives;
}
