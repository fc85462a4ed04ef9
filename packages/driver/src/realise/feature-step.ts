import type { VmSpec } from '../plan/vm-spec.js';
import type { ObservedMachine } from './observed.js';
import * as build from './settings.js';
import type { Step } from './step.js';

/** Security settings of switch ports, one port a call. */
export function featureStep(spec: VmSpec, machine: ObservedMachine): Step | undefined {
  for (const { portId, macSpoofing } of spec.nics) {
    const connection = machine.nics.find((nic) => nic.portId === portId)?.connection;
    const security = connection?.security;
    if (connection === undefined || (security?.macSpoofing ?? false) === macSpoofing) continue;
    const isNew = security === undefined;
    return {
      kind: 'feature',
      connection: connection.reference,
      feature: build.portSecurity(macSpoofing, security?.reference),
      isNew,
      // What was added is read back: only then is its own identifier known.
      after: isNew ? { ...machine, complete: false } : withSpoofing(machine, portId, macSpoofing),
    };
  }
  return undefined;
}

function withSpoofing(machine: ObservedMachine, portId: string, macSpoofing: boolean): ObservedMachine {
  const nics = machine.nics.map((nic) => {
    const { connection } = nic;
    if (nic.portId !== portId || connection?.security === undefined) return nic;
    return { ...nic, connection: { ...connection, security: { ...connection.security, macSpoofing } } };
  });
  return { ...machine, nics };
}
