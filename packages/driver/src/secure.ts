import { rm, writeFile } from 'node:fs/promises';
import { joinHostPath } from '@nova-hyperv/hyperv';
import type { InvokeOptions, MachineHandle } from '@nova-hyperv/hyperv';
import type { DriverContext } from './context.js';
import { DriverError } from './errors.js';
import type { ProvisioningPlan } from './plan/security.js';
import type { VmSpec } from './plan/vm-spec.js';
import type { SpawnRequest } from './types.js';

/** The shielding data that the plan names. Throws before anything on the host is touched. */
export async function fetchShieldingData(
  { secrets, instance, signal }: SpawnRequest,
  { containerRef }: ProvisioningPlan,
): Promise<Uint8Array> {
  if (secrets === undefined) {
    throw new DriverError(
      'InvalidMetadata',
      `Instance ${instance.uuid} names shielding data in a key manager, and this compute service is not connected to one.`,
    );
  }
  try {
    return await secrets.readContainer(containerRef, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    throw new DriverError(
      'InvalidMetadata',
      `The shielding data that img_pdk_reference names cannot be read: ${why} Check the reference, and that the container's secrets are the instance's user's and readable by the compute service.`,
      { cause: error },
    );
  }
}

/**
 * Gives a machine that is otherwise complete its key protector, policy and virtual TPM, and has it provisioned. The files that this takes are
 * gone afterwards, also after a failure.
 */
export async function secureMachine(
  { host }: DriverContext,
  machine: MachineHandle,
  spec: Pick<VmSpec, 'directory' | 'security'>,
  provisioning: ProvisioningPlan,
  shieldingData: Uint8Array,
  options: InvokeOptions,
): Promise<void> {
  const pdk = joinHostPath(spec.directory, 'shielding.pdk');
  const fsk = joinHostPath(spec.directory, 'shielding.fsk');
  const { vtpm, shielded } = spec.security;
  try {
    await writeFile(host.reach.local(pdk), shieldingData, { mode: 0o600 });
    const data = await host.security.readShieldingData(pdk);
    await host.security.secure(machine, data, { vtpm, shielded }, options);
    if (!provisioning.specialize) return;
    await host.security.writeSpecialization(fsk, provisioning.values);
    await host.security.provision(machine, { pdk, fsk }, options);
  } finally {
    for (const path of [pdk, fsk]) await rm(host.reach.local(path), { force: true });
  }
}
