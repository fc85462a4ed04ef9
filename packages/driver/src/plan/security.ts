import { DriverError } from '../errors.js';
import type { EarlyPlanInput } from './input.js';
import { planSecureBoot } from './secure-boot.js';
import type { Generation, SecuritySpec } from './vm-spec.js';

/** How a secured machine comes to its key protector, and what its guest is told. */
export interface ProvisioningPlan {
  /** The key manager's container with the shielding data file (PDK). */
  readonly containerRef: string;
  /** Substitutions in the answer file, by their names with the signs around them: `@@ComputerName@@`. */
  readonly values: Readonly<Record<string, string>>;
  /** Whether the host's provisioning service prepares the guest's disk: that is for Windows. */
  readonly specialize: boolean;
}

export interface SecurityPlan {
  readonly security: SecuritySpec;
  readonly provisioning?: ProvisioningPlan;
}

const FABRIC_DATA = 'fsk:';
const COMPUTER_NAME = '@@ComputerName@@';

/** Whether the image asks for what only guarded hosts have; then the host has to be asked. */
export function needsGuardedHost(image: EarlyPlanInput['image']): boolean {
  return required(image, 'os_vtpm') || required(image, 'os_shielded_vm');
}

/**
 * Secure Boot, virtual TPM and shielding. Pure; throws {@link DriverError} for what cannot be had, first what the image lacks, then what the
 * host lacks, then what the instance lacks. The rules: docs/features/vtpm-shielded.md.
 */
export function planSecurity(input: EarlyPlanInput, generation: Generation): SecurityPlan {
  const { image, instance, host } = input;
  refuseNovasTpm(input);
  const secureBoot = planSecureBoot(input, generation);
  if (!needsGuardedHost(image)) return { security: { secureBoot, vtpm: false, shielded: false } };
  const shielded = required(image, 'os_shielded_vm');
  const asked = `${shielded ? 'os_shielded_vm' : 'os_vtpm'}=required of image ${image.id}`;
  if (secureBoot === false) {
    throw unacceptable(
      `${asked} needs Secure Boot. Set os_secure_boot=required and os_type on the image as well.`,
    );
  }
  const system = image.properties['os_type']?.toLowerCase();
  if (shielded && system !== 'windows') {
    throw unacceptable(
      `${asked} asks for a shielded machine, which this driver makes for Windows only, and the image says os_type=${system}. Use os_vtpm=required for a virtual TPM without shielding.`,
    );
  }
  if (host.guarded !== true) {
    throw unacceptable(
      `${asked} needs a guarded host, and ${host.name} is none: its host guardian client is not configured, or the host was not attested. See Get-HgsClientConfiguration there.`,
      'host',
    );
  }
  return {
    security: { secureBoot, vtpm: true, shielded },
    provisioning: {
      values: specialization(instance),
      containerRef: containerOf(input, asked),
      specialize: system === 'windows',
    },
  };
}

function required(image: EarlyPlanInput['image'], property: string): boolean {
  return image.properties[property] === 'required';
}

/** Nova's own words ask for a TPM whose secret the cloud keeps; Hyper-V's is unlocked by a key protector of the owner's. */
function refuseNovasTpm({ image, instance }: EarlyPlanInput): void {
  const names = [
    ...Object.keys(image.properties).filter((name) => /^hw_tpm_(version|model)$/.test(name)),
    ...Object.keys(instance.flavor.extraSpecs).filter((name) => /^hw:tpm_(version|model)$/.test(name)),
  ];
  const [first] = names;
  if (first === undefined) return;
  throw unacceptable(
    `${first} asks for a virtual TPM in a way that Hyper-V has no part for: its TPMs are protected by a key protector of the machine's owner. Remove it and set os_vtpm=required on an image, with img_pdk_reference.`,
  );
}

/** Instance metadata `fsk:Name` = value. */
function specialization({
  metadata,
  hostname,
}: EarlyPlanInput['instance']): Readonly<Record<string, string>> {
  const values: Record<string, string> = {};
  for (const [key, value] of Object.entries(metadata)) {
    if (key.startsWith(FABRIC_DATA)) values[`@@${key.slice(FABRIC_DATA.length)}@@`] = value;
  }
  const name = values[COMPUTER_NAME];
  if (name !== undefined && name !== hostname) {
    throw unacceptable(
      `The instance metadata fsk:ComputerName is '${name}', and the instance's host name is '${hostname}'. Leave it out, or give the host's name.`,
    );
  }
  return { ...values, [COMPUTER_NAME]: hostname };
}

function containerOf({ image, instance }: EarlyPlanInput, asked: string): string {
  const reference = instance.metadata['img_pdk_reference'] ?? image.properties['img_pdk_reference'] ?? '';
  if (reference !== '') return reference;
  throw unacceptable(
    `${asked} needs shielding data. Store the shielding data file (.pdk) in the key manager and set img_pdk_reference, in the instance's metadata or on the image, to its container.`,
  );
}

function unacceptable(message: string, scope: 'request' | 'host' = 'request'): DriverError {
  return new DriverError('InstanceUnacceptable', message, { scope });
}
