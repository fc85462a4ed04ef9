import { badRequest } from '../../kernel/errors.js';

type Properties = Readonly<Record<string, string>>;

/** nova/objects/fields.py, SecureBoot */
const VALUES = ['disabled', 'optional', 'required'];

/** What hosts must have that a build with Secure Boot is sent to. nova/scheduler/utils.py, _translate_secure_boot_request */
export const SECURE_BOOT_TRAIT = 'COMPUTE_SECURITY_UEFI_SECURE_BOOT';

/** Whether image or flavor require it. */
export function requiresSecureBoot(extraSpecs: Properties, image: Properties): boolean {
  return extraSpecs['os:secure_boot'] === 'required' || image['os_secure_boot'] === 'required';
}

/**
 * Throws 400 for words that are not known, and for an image and a flavor of which one requires what the other forbids (Nova's
 * FlavorImageConflict). Nova refuses any two words that differ; `optional` contradicts nothing, and is let through here.
 */
export function checkSecureBoot(
  flavorName: string,
  extraSpecs: Properties,
  imageId: string,
  image: Properties,
): void {
  const ofImage = image['os_secure_boot'];
  const ofFlavor = extraSpecs['os:secure_boot'];
  if (ofImage !== undefined && !VALUES.includes(ofImage)) {
    throw badRequest(
      `Invalid image metadata. Error: os_secure_boot is '${ofImage}'; valid values are ${VALUES.join(', ')}.`,
    );
  }
  if (ofFlavor !== undefined && !VALUES.includes(ofFlavor)) {
    throw badRequest(
      `The extra spec os:secure_boot is '${ofFlavor}'; valid values are ${VALUES.join(', ')}.`,
    );
  }
  const pair = [ofImage, ofFlavor];
  if (pair.includes('required') && pair.includes('disabled')) {
    throw badRequest(
      `Flavor ${flavorName} has os:secure_boot set to ${ofFlavor}, conflicting with image ${imageId}, which has os_secure_boot set to ${ofImage}. Choose another flavor, or change one of the two.`,
    );
  }
}
