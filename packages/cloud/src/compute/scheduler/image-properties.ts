/** What an image asks of a host, in Nova's canonical words; null where it says nothing. */
export interface ImageRequirements {
  readonly architecture: string | null;
  readonly hypervisorType: string | null;
  readonly vmMode: string | null;
  readonly versionRequired: string | null;
}

export class ImagePropertyError extends Error {
  readonly code = 'IMAGE_PROPERTY_INVALID';
  constructor(name: string, value: string, known: readonly string[]) {
    super(`The image property ${name} is '${value}', which is not known; known are ${known.join(', ')}.`);
    this.name = 'ImagePropertyError';
  }
}

/** nova/objects/fields.py, HVType */
const HYPERVISOR_TYPES = [
  'baremetal',
  'bhyve',
  'docker',
  'fake',
  'hyperv',
  'ironic',
  'kqemu',
  'kvm',
  'lxc',
  'lxd',
  'openvz',
  'parallels',
  'virtuozzo',
  'phyp',
  'qemu',
  'test',
  'uml',
  'vbox',
  'vmware',
  'xen',
  'zvm',
  'powervm',
  'prl',
];
/** VMMode, with its other names. */
const VM_MODES: Readonly<Record<string, string>> = {
  hvm: 'hvm',
  xen: 'xen',
  uml: 'uml',
  exe: 'exe',
  hv: 'hvm',
  pv: 'xen',
};
/** Architecture, with the other names that it accepts. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x86_64: 'x86_64',
  amd64: 'x86_64',
  x64: 'x86_64',
  i686: 'i686',
  i386: 'i686',
  i486: 'i686',
  i586: 'i686',
  x86: 'i686',
  aarch64: 'aarch64',
  arm64: 'aarch64',
  armv7l: 'armv7',
  armv7: 'armv7',
  armv6: 'armv6',
  ia64: 'ia64',
  ppc: 'ppc',
  ppc64: 'ppc64',
  ppc64le: 'ppc64le',
  s390: 's390',
  s390x: 's390x',
  mips: 'mips',
  alpha: 'alpha',
};
const OTHER_TYPES: Readonly<Record<string, string>> = { xapi: 'xen' };

type Properties = Readonly<Record<string, string>>;

/** A property by its present name or the one before: images carry both. */
function property(properties: Properties, name: string, legacy: string): readonly [string, string] | null {
  for (const key of [name, legacy]) {
    const value = properties[key]?.trim();
    if (value !== undefined && value !== '') return [key, value];
  }
  return null;
}

function canonical(
  found: readonly [string, string] | null,
  known: Readonly<Record<string, string>>,
): string | null {
  if (found === null) return null;
  const [key, value] = found;
  const word = Object.hasOwn(known, value.toLowerCase()) ? known[value.toLowerCase()] : undefined;
  if (word === undefined) throw new ImagePropertyError(key, value, [...new Set(Object.values(known))]);
  return word;
}

const TYPES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(HYPERVISOR_TYPES.map((type) => [type, type])),
  ...OTHER_TYPES,
};

/** @throws ImagePropertyError for words that Nova does not know */
export function canonicalImage(properties: Properties): ImageRequirements {
  return {
    architecture: canonical(property(properties, 'hw_architecture', 'architecture'), ARCHITECTURES),
    hypervisorType: canonical(property(properties, 'img_hv_type', 'hypervisor_type'), TYPES),
    vmMode: canonical(property(properties, 'hw_vm_mode', 'vm_mode'), VM_MODES),
    versionRequired:
      property(properties, 'img_hv_requested_version', 'hypervisor_version_requires')?.[1] ?? null,
  };
}
