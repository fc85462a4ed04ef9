import { DriverError } from '../errors.js';
import type { EarlyPlanInput } from './input.js';
import { compareVersions, FIRST_WITH_LINUX_SECURE_BOOT } from './limits.js';
import { versionText } from './generation.js';
import type { Generation, SecureBootTemplate } from './vm-spec.js';

/** nova/objects/fields.py, SecureBoot */
const VALUES = ['disabled', 'optional', 'required'];

/**
 * Whether the machine boots with Secure Boot, and with whose keys. Pure; throws {@link DriverError} for what cannot be had. The rules, and where
 * documents and drivers before this one differ: docs/features/secure-boot.md.
 */
export function planSecureBoot(input: EarlyPlanInput, generation: Generation): false | SecureBootTemplate {
  const { image, host } = input;
  const asked = request(input);
  if (asked === undefined) return false;
  if (generation !== 2) {
    throw unacceptable(
      `${asked} asks for Secure Boot, which needs the UEFI firmware of a generation 2 machine, and image ${image.id} is for generation 1. ` +
        `If the image boots by UEFI, set hw_machine_type=hyperv-gen2 on it; else remove the request.`,
    );
  }
  const system = guestSystem(input, asked);
  if (system === 'windows') return 'MicrosoftWindows';
  if (compareVersions(host.windowsVersion, FIRST_WITH_LINUX_SECURE_BOOT) < 0) {
    throw unacceptable(
      `${asked} asks for Secure Boot and image ${image.id} is of Linux, and host ${host.name} (Windows ${versionText(host)}) has Secure Boot for Windows only. ` +
        `Set hypervisor_version_requires='>=10.0' on the image, so that the scheduler chooses a host that has it for Linux.`,
      'host',
    );
  }
  return 'MicrosoftUEFICertificateAuthority';
}

/** Who requires it; undefined when nobody does. The flavor's word stands, but one side's `required` against the other's `disabled` is an error. */
function request({ image, instance }: EarlyPlanInput): string | undefined {
  const { flavor } = instance;
  const ofImage = checked(
    image.properties['os_secure_boot'],
    `The image property os_secure_boot of ${image.id}`,
  );
  const ofFlavor = checked(
    flavor.extraSpecs['os:secure_boot'],
    `The flavor extra spec os:secure_boot of ${flavor.name}`,
  );
  if (
    (ofImage === 'required' && ofFlavor === 'disabled') ||
    (ofImage === 'disabled' && ofFlavor === 'required')
  ) {
    throw unacceptable(
      `Image ${image.id} has os_secure_boot=${ofImage} and flavor ${flavor.name} has os:secure_boot=${ofFlavor}: they contradict each other. Choose another flavor, or change one of the two.`,
    );
  }
  if (ofFlavor === 'required') return `os:secure_boot=required of flavor ${flavor.name}`;
  return ofImage === 'required' ? `os_secure_boot=required of image ${image.id}` : undefined;
}

function checked(value: string | undefined, what: string): string | undefined {
  if (value === undefined || VALUES.includes(value)) return value;
  throw unacceptable(`${what} is '${value}'. Valid values: ${VALUES.join(', ')}.`);
}

/** The image's os_type decides whose keys the firmware trusts. */
function guestSystem({ image }: EarlyPlanInput, asked: string): 'windows' | 'linux' {
  const system = image.properties['os_type']?.toLowerCase();
  if (system === 'windows' || system === 'linux') return system;
  const why =
    system === undefined || system === ''
      ? `image ${image.id} does not say of which system it is`
      : `image ${image.id} says os_type=${system}, for which Hyper-V has no keys`;
  throw unacceptable(
    `${asked} asks for Secure Boot, and ${why}. Set os_type=windows or os_type=linux on the image: it decides which signatures the firmware accepts.`,
  );
}

function unacceptable(message: string, scope: 'request' | 'host' = 'request'): DriverError {
  return new DriverError('InstanceUnacceptable', message, { scope });
}
