import type { Flavor } from '@nova-hyperv/driver';
import { badRequest } from '../../kernel/errors.js';
import { requiresSecureBoot, SECURE_BOOT_TRAIT } from './secure-boot.js';
import type { CandidateQuery, Resources } from '../ports.js';

type Properties = Readonly<Record<string, string>>;

/** What a flavor takes of a host; amounts of 0 are not asked for. nova/scheduler/utils.py, resources_from_flavor */
export function flavorResources(flavor: Flavor): Resources {
  const amounts: Record<string, number> = {
    VCPU: flavor.vcpus,
    MEMORY_MB: flavor.memoryMb,
    DISK_GB: flavor.rootGb + flavor.ephemeralGb + Math.ceil(flavor.swapMb / 1024),
  };
  for (const [key, value] of Object.entries(flavor.extraSpecs)) {
    const name = /^resources:([A-Z][A-Z0-9_]*)$/.exec(key)?.[1];
    // An operator's own amount takes the place of the flavor's; 0 removes it.
    if (name !== undefined && /^\d{1,9}$/.test(value)) amounts[name] = Number(value);
  }
  return Object.fromEntries(Object.entries(amounts).filter(([, amount]) => amount > 0));
}

/** Traits of a flavor's extra specs or an image's properties: `trait:HW_CPU_X86_VMX=required`. */
function traits(source: Properties, wanted: 'required' | 'forbidden'): readonly string[] {
  return Object.entries(source)
    .filter(([key, value]) => key.startsWith('trait:') && value === wanted)
    .map(([key]) => key.slice('trait:'.length));
}

function allTraits(
  extraSpecs: Properties,
  image: Properties,
): Pick<CandidateQuery, 'requiredTraits' | 'forbiddenTraits'> {
  const both = (wanted: 'required' | 'forbidden'): readonly string[] => [
    ...new Set([...traits(extraSpecs, wanted), ...traits(image, wanted)]),
  ];
  const implied = requiresSecureBoot(extraSpecs, image) ? [SECURE_BOOT_TRAIT] : [];
  return {
    requiredTraits: [...new Set([...both('required'), ...implied])],
    forbiddenTraits: both('forbidden'),
  };
}

/** Throws 400 for traits that cannot be asked for: unknown words, or required and forbidden at once. */
export function checkTraits(extraSpecs: Properties, image: Properties): void {
  for (const [key, value] of [...Object.entries(extraSpecs), ...Object.entries(image)]) {
    if (!key.startsWith('trait:')) continue;
    if (!/^trait:[A-Z][A-Z0-9_]{0,254}$/.test(key)) throw badRequest(`'${key}' does not name a trait.`);
    if (value !== 'required' && value !== 'forbidden') {
      throw badRequest(`'${key}' is '${value}'; it has to be required or forbidden.`);
    }
  }
  const { requiredTraits, forbiddenTraits } = allTraits(extraSpecs, image);
  const both = requiredTraits.filter((trait) => forbiddenTraits.includes(trait));
  if (both.length > 0) throw badRequest(`Traits are required and forbidden at once: ${both.join(', ')}.`);
}

export const candidateQuery = (flavor: Flavor, image: Properties): CandidateQuery => ({
  resources: flavorResources(flavor),
  ...allTraits(flavor.extraSpecs, image),
});
