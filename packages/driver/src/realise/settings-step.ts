import { SECURE_BOOT_TEMPLATE_ID } from '@nova-hyperv/hyperv';
import type { SystemSettings } from '@nova-hyperv/hyperv';
import type { VmSpec } from '../plan/vm-spec.js';
import { bootSources } from './boot-sources.js';
import type { ObservedMachine, ObservedSettings } from './observed.js';
import type { Step } from './step.js';
import { biosValue, shutdownValue, START_ACTION_NONE, templateOf } from './values.js';

type SetWhere = (differs: boolean, change: SystemSettings, field: Partial<ObservedSettings>) => void;

/** Only what differs is sent: hosts refuse values of properties that they keep to themselves. */
export function settingsStep(spec: VmSpec, machine: ObservedMachine, host: string): Step | undefined {
  const has = machine.settings;
  if (has === undefined) return undefined;
  let changes: SystemSettings = {};
  let after: ObservedSettings = has;
  const set: SetWhere = (differs, change, field) => {
    if (!differs) return;
    changes = { ...changes, ...change };
    after = { ...after, ...field };
  };
  set(has.name !== spec.name, { ElementName: spec.name }, { name: spec.name });
  set(has.note !== spec.instanceUuid, { Notes: [spec.instanceUuid] }, { note: spec.instanceUuid });
  set(
    has.startAction !== START_ACTION_NONE,
    { AutomaticStartupAction: START_ACTION_NONE },
    { startAction: START_ACTION_NONE },
  );
  const shutdownAction = shutdownValue(spec.automaticShutdown);
  set(has.shutdownAction !== shutdownAction, { AutomaticShutdownAction: shutdownAction }, { shutdownAction });
  const { chassisAssetTag } = spec;
  set(has.chassisAssetTag !== chassisAssetTag, { ChassisAssetTag: chassisAssetTag }, { chassisAssetTag });
  const numa = spec.processors.numa !== null;
  set(has.numa !== numa, { VirtualNumaEnabled: numa }, { numa });
  if (spec.firmware.kind === 'uefi') {
    secureBootChange(spec.security.secureBoot, has, set);
    const order = bootSources(spec.firmware.bootOrder, machine, has, host);
    if (order !== undefined) set(true, { BootSourceOrder: order }, { bootSourceOrder: order });
  } else {
    const bootOrder = spec.firmware.bootOrder.map((device) => biosValue(device));
    set(bootOrder.join() !== has.bootOrder.join(), { BootOrder: bootOrder }, { bootOrder });
  }
  return Object.keys(changes).length === 0
    ? undefined
    : { kind: 'settings', changes, after: { ...machine, settings: after } };
}

/** The template is named only where it differs: hosts before 10.0 do not know the property. */
function secureBootChange(
  wanted: VmSpec['security']['secureBoot'],
  has: ObservedSettings,
  set: SetWhere,
): void {
  const secureBoot = wanted !== false;
  set(has.secureBoot !== secureBoot, { SecureBootEnabled: secureBoot }, { secureBoot });
  if (wanted === false || wanted === 'unknown' || templateOf(has.secureBootTemplateId) === wanted) return;
  const id = SECURE_BOOT_TEMPLATE_ID[wanted];
  set(true, { SecureBootTemplateId: id }, { secureBootTemplateId: id });
}
