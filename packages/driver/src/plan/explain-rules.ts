import type { Flavor } from '../types.js';
import { planMemory, refuseHostsProcessors, refuseMachinesProcessors } from './capacity.js';
import { planDiskLimit } from './disk-limits.js';
import { planDisks, rootFormatOf } from './disks.js';
import { chooseGeneration } from './generation.js';
import type { BaseImage, EarlyPlanInput } from './input.js';
import { planNested } from './nested.js';
import { planNics } from './network.js';
import { planNuma } from './numa.js';
import { planEarly, refuseOtherContent } from './plan.js';
import { planPciDevices } from './pci.js';
import { planProcessorLimits } from './processor-limits.js';
import { planSecureBoot } from './secure-boot.js';
import { planSecurity } from './security.js';
import { serialPorts } from './serial.js';
import { controllersOf } from './slots.js';
import { refuseUnservedRequests } from './unsupported.js';
import { bootsFromVolume, refuseVolumes } from './volumes.js';
import { planVideo } from './video.js';
import type { Generation } from './vm-spec.js';

export interface RuleInput {
  readonly input: EarlyPlanInput;
  /** Undefined where the image names none that there is. */
  readonly generation: Generation | undefined;
  /** The image's file; undefined where it cannot be looked at. */
  readonly base: BaseImage | undefined;
}

/** A rule of the plan, by its name and the document that it is from. */
export interface Rule {
  readonly name: string;
  readonly source: string;
  /**
   * Functions of the plan that throw when the rule is broken. Where a rule looks at several things apart from each other, it has a function
   * for each, so that one refusal does not hide the next.
   */
  readonly checks: (facts: RuleInput) => readonly (() => unknown)[];
}

/** In the order in which a boot meets them. A rule that is missing here is still told, without its source. */
export const RULES: readonly Rule[] = [
  {
    name: 'oldest host',
    source: 'Hyper-V WMI provider (root\\virtualization\\v2): Windows Server 2012 and later',
    checks: ({ input }) => [() => planEarly({ ...input, ...plainRequest(input, input.host.name) })],
  },
  {
    name: 'instance name',
    source: 'Msvm_VirtualSystemSettingData, ElementName; names of folders on Windows',
    checks: ({ input }) => [() => planEarly({ ...input, ...plainRequest(input, input.instance.name) })],
  },
  {
    name: 'machine type',
    source: 'generation 2 specification, Proposed change',
    checks: ({ input }) => [() => chooseGeneration(input)],
  },
  {
    name: 'image format',
    source: 'usage guide, Prepare images for use with Hyper-V',
    checks: ({ input }) =>
      bootsFromVolume(input)
        ? []
        : [{ containerFormat: 'bare' }, { diskFormat: 'vhdx' }].map(
            (otherwise) => () => rootFormatOf({ image: { ...input.image, ...otherwise } }),
          ),
  },
  {
    name: 'volumes',
    source: 'usage guide, Using Cinder Volumes; nova/virt/block_device.py',
    checks: ({ input, generation }) =>
      generation === undefined
        ? []
        : (input.volumes ?? []).map((one) => () => refuseVolumes({ ...input, volumes: [one] }, generation)),
  },
  {
    name: 'requests that are not served',
    source: 'README, What is not there yet',
    checks: ({ input }) => [
      ...oneProperty(input).map((one) => () => refuseUnservedRequests(one)),
      ...oneExtraSpec(input, /./).map((one) => () => refuseUnservedRequests(one)),
      () => refuseUnservedRequests(withRequests(input, {}, {})),
    ],
  },
  {
    name: 'Secure Boot',
    source: 'usage guide, UEFI Secure Boot',
    checks: forGeneration(planSecureBoot),
  },
  {
    name: 'virtual TPM and shielding',
    source: 'usage guide, Shielded VMs',
    checks: forGeneration(planSecurity),
  },
  {
    name: 'processors of a machine',
    source: 'Plan for Hyper-V scalability in Windows Server, Maximums for virtual machines',
    checks: forGeneration((input, generation) => refuseMachinesProcessors(input, generation)),
  },
  {
    name: 'processors of the host',
    source: 'Plan for Hyper-V scalability in Windows Server: no more than the host has',
    checks: ({ input }) => [() => refuseHostsProcessors(input)],
  },
  {
    name: 'nested virtualization',
    source: 'usage guide, Nested virtualization',
    checks: ({ input }) => [() => planNested(input)],
  },
  {
    name: 'NUMA topology',
    source: 'Nova, nova/virt/hardware.py; usage guide, Hyper-V vNUMA instances',
    checks: ({ input }) => [() => planNuma(input)],
  },
  {
    name: 'processor limits',
    source: 'Nova, nova/api/validation/extra_specs/quota.py; Msvm_ProcessorSettingData',
    checks: ({ input }) => [
      ...oneExtraSpec(input, /^quota:cpu_(?!reservation$)/).map((one) => () => planProcessorLimits(one)),
      () => planProcessorLimits(input),
    ],
  },
  {
    name: 'disk limits',
    source: 'usage guide, Disk QoS; Msvm_StorageAllocationSettingData, IOPSLimit',
    checks: ({ input }) => [
      ...oneExtraSpec(input, /^quota:disk_total_/).map((one) => () => planDiskLimit(one)),
      () => planDiskLimit(input),
    ],
  },
  {
    name: 'memory',
    source: 'Plan for Hyper-V scalability in Windows Server, Maximums for virtual machines',
    checks: forGeneration((input, generation) =>
      planMemory(input, generation, { numa: null, nestedVirtualization: false }),
    ),
  },
  {
    name: 'network',
    source: 'Neutron, binding:vif_type; Plan for Hyper-V scalability in Windows Server',
    checks: ({ input: { vifs, host, config } }) => [
      () => planNics(vifs, host, config),
      ...vifs.map((vif) => () => planNics([vif], host, config)),
    ],
  },
  {
    name: 'serial ports',
    source: 'usage guide, Configuring serial ports',
    checks: ({ input }) => oneProperty(input).map((one) => () => serialPorts(one.image, one.instance.uuid)),
  },
  {
    name: 'PCI devices',
    source:
      'Microsoft, Plan for deploying devices by using Discrete Device Assignment; Nova, pci_passthrough:alias',
    checks: ({ input }) => [() => planPciDevices(input)],
  },
  {
    name: 'RemoteFX',
    source: 'usage guide, RemoteFX; generation 2 specification, Proposed change',
    checks: forGeneration(planVideo),
  },
  {
    name: 'content of the image',
    source: 'usage guide, Prepare images for use with Hyper-V',
    checks: ({ input, base }) =>
      base === undefined || base.kind === 'volume'
        ? []
        : [() => refuseOtherContent(input.image, rootFormatOf(input), base)],
  },
  {
    name: 'disks',
    source: 'generation 2 specification, Proposed change; usage guide, Prepare images for use with Hyper-V',
    checks: diskChecks,
  },
];

function forGeneration(check: (input: EarlyPlanInput, generation: Generation) => unknown): Rule['checks'] {
  return ({ input, generation }) => (generation === undefined ? [] : [() => check(input, generation)]);
}

/** The disks as they are asked for; then the root alone, the ephemeral ones alone, and its size alone. */
function diskChecks({ input, generation, base }: RuleInput): readonly (() => unknown)[] {
  if (generation === undefined || base === undefined) return [];
  if (base.kind === 'volume') {
    return [() => planDisks({ ...input, base }, generation, 'C:', controllersOf(generation))];
  }
  const check = (of: Generation, image: BaseImage, changes: Partial<Flavor>) => () =>
    planDisks(
      { ...withFlavor(input, { ...changes, extraSpecs: {} }), base: image },
      of,
      'C:',
      controllersOf(of),
    );
  const whole = merged(base);
  const some: BaseImage = { kind: 'iso', path: base.path };
  return [
    check(generation, base, {}),
    check(generation, whole, { ephemeralGb: 0 }),
    check(1, whole, { ephemeralGb: 0 }),
    check(generation, some, {}),
  ];
}

/** As if it had been merged with its parent. */
function merged(base: BaseImage): BaseImage {
  if (base.kind !== 'disk') return base;
  const { parent: _parent, ...info } = base.info;
  return { ...base, info: { ...info, type: 'dynamic' } };
}

/** Nothing but a name, and the host: all that is not asked about is what every host can give. */
function plainRequest(
  { instance, image, host }: EarlyPlanInput,
  name: string,
): Pick<EarlyPlanInput, 'instance' | 'image' | 'vifs' | 'host' | 'volumes'> {
  const flavor: Flavor = {
    ...instance.flavor,
    vcpus: 1,
    memoryMb: 512,
    ephemeralGb: 0,
    swapMb: 0,
    extraSpecs: {},
  };
  return {
    instance: { ...instance, name, metadata: {}, flavor, pciDevices: [] },
    image: { ...image, diskFormat: 'vhd', containerFormat: 'bare', properties: {} },
    vifs: [],
    volumes: [],
    host: { ...host, logicalProcessors: Math.max(1, host.logicalProcessors) },
  };
}

function withFlavor(input: EarlyPlanInput, changes: Partial<Flavor>): EarlyPlanInput {
  return { ...input, instance: { ...input.instance, flavor: { ...input.instance.flavor, ...changes } } };
}

function withRequests(
  input: EarlyPlanInput,
  properties: Readonly<Record<string, string>>,
  extraSpecs: Readonly<Record<string, string>>,
): EarlyPlanInput {
  return { ...withFlavor(input, { extraSpecs }), image: { ...input.image, properties } };
}

/** The input once for each property of the image, with that one alone. */
function oneProperty(input: EarlyPlanInput): readonly EarlyPlanInput[] {
  const plain = withFlavor(input, { extraSpecs: {}, swapMb: 0 });
  return Object.entries(input.image.properties).map(([name, value]) =>
    withRequests(plain, { [name]: value }, {}),
  );
}

function oneExtraSpec(input: EarlyPlanInput, names: RegExp): readonly EarlyPlanInput[] {
  const plain = withFlavor(input, { swapMb: 0 });
  return Object.entries(input.instance.flavor.extraSpecs)
    .filter(([name]) => names.test(name))
    .map(([name, value]) => withRequests(plain, {}, { [name]: value }));
}
