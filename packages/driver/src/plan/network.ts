import { DriverError } from '../errors.js';
import type { DriverConfig } from '../config.js';
import type { Vif } from '../types.js';
import type { PlanHostFacts, PlanSwitch } from './input.js';
import { MAXIMUM_NICS } from './limits.js';
import type { NicSpec } from './vm-spec.js';

export function planNics(
  vifs: readonly Vif[],
  host: PlanHostFacts,
  config: DriverConfig,
  nested = false,
): readonly NicSpec[] {
  if (vifs.length > MAXIMUM_NICS) {
    throw new DriverError(
      'InstanceUnacceptable',
      `The instance has ${vifs.length} ports; a Hyper-V machine has at most ${MAXIMUM_NICS} network adapters.`,
    );
  }
  if (vifs.length === 0) return [];
  for (const vif of vifs) refuseUnservedBinding(vif, host);
  const chosen = chooseSwitch(host, config);
  return vifs.map((vif) => ({
    portId: vif.portId,
    mac: hyperVMac(vif),
    switchId: chosen.id,
    macSpoofing: allowsSpoofing(vif, nested),
  }));
}

/**
 * Neutron lets a port send from any address when its port security is off. A guest that runs machines of its own needs it for theirs,
 * and has it where the port has no security groups (usage guide, "Nested virtualization"). What Neutron did not tell counts as protected.
 */
function allowsSpoofing(vif: Vif, nested: boolean): boolean {
  return vif.portSecurityEnabled === false || (nested && vif.securityGroups?.length === 0);
}

function refuseUnservedBinding(vif: Vif, host: PlanHostFacts): void {
  if (vif.vifType === 'hyperv') return;
  if (vif.vifType === 'binding_failed') {
    throw new DriverError(
      'PortBindingFailed',
      `Neutron could not bind port ${vif.portId} to host ${host.name}: see neutron-server's log and whether a mechanism driver for Hyper-V is enabled.`,
      { scope: 'host' },
    );
  }
  throw new DriverError(
    'VirtualInterfacePlugException',
    `Port ${vif.portId} is bound with vif_type ${vif.vifType}; this driver plugs vif_type hyperv only.`,
    { scope: 'host' },
  );
}

/** `fa:16:3e:01:02:03` as Hyper-V writes it: `FA163E010203`. */
function hyperVMac(vif: Vif): string {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(vif.mac)) {
    throw new DriverError(
      'VirtualInterfacePlugException',
      `Port ${vif.portId} has no usable MAC address: ${vif.mac}.`,
    );
  }
  return vif.mac.replaceAll(/[:-]/g, '').toUpperCase();
}

/** The configured switch, or else the first external one by name. */
export function chooseSwitch(host: PlanHostFacts, config: DriverConfig): PlanSwitch {
  const names = host.switches.map((candidate) => candidate.name).join(', ') || 'none';
  if (config.vswitchName !== undefined) {
    const named = host.switches.find((candidate) => candidate.name === config.vswitchName);
    if (named !== undefined) return named;
    throw noSwitch(
      `has no virtual switch named ${config.vswitchName} (it has: ${names}): correct vswitch_name, or create the switch`,
    );
  }
  const external = host.switches
    .filter((candidate) => candidate.external === true)
    .toSorted((a, b) => a.name.localeCompare(b.name));
  if (external[0] !== undefined) return external[0];
  throw noSwitch(
    `has no external virtual switch (it has: ${names}): create one, or name the one to use in vswitch_name`,
  );

  function noSwitch(what: string): DriverError {
    return new DriverError('VirtualInterfacePlugException', `Host ${host.name} ${what}.`, { scope: 'host' });
  }
}
