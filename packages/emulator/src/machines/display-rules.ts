import type { CimInstance, CimValue } from '@nova-hyperv/wsman';
import { numberOf } from '../cim.js';
import { HV, HyperVError } from '../errors.js';
import { newResource } from './build.js';
import { isKind } from './kinds.js';
import { STATE, generationOf, resourcesOf, settingsId, withResource } from './model.js';
import type { Machine } from './model.js';
import type { RuleHost } from './rules.js';

/**
 * Msvm_Synthetic3DDisplayControllerSettingData.MaximumScreenResolution by value: pixels, and the monitors that it goes with before 10.0
 * and from then on (0: not at all). Sources: HyperV_v2, the class' page; the RemoteFX table of os-win.
 */
export const RESOLUTIONS = [
  { width: 1024, height: 768, monitors: { six: 4, ten: 8 } },
  { width: 1280, height: 1024, monitors: { six: 4, ten: 8 } },
  { width: 1600, height: 1200, monitors: { six: 3, ten: 4 } },
  { width: 1920, height: 1200, monitors: { six: 2, ten: 4 } },
  { width: 2560, height: 1600, monitors: { six: 1, ten: 2 } },
  { width: 3840, height: 2160, monitors: { six: 0, ten: 1 } },
] as const;

const MEBIBYTE = 1024 * 1024;
const VIDEO_MEMORY_MB = [64, 128, 256, 512, 1024];

interface Added {
  readonly machine: Machine;
  readonly added: CimInstance;
}

/** The one video adapter: rules F1 to F4 for the RemoteFX one. */
export function addDisplay(
  machine: Machine,
  wanted: CimInstance,
  host: RuleHost,
  name: 'synthetic-display' | 'remotefx-display',
): Added {
  requireOff(machine);
  if (resourcesOf(machine).some((one) => isKind(one, 'synthetic-display', 'remotefx-display')))
    throw new HyperVError(
      HV.invalidParameter,
      'A virtual machine has one synthetic video adapter: remove the present one first.',
    );
  if (name === 'remotefx-display') requireRemoteFx(machine, host);
  const properties =
    name === 'remotefx-display'
      ? given(wanted, 'MaximumMonitors', 'MaximumScreenResolution', 'VRAMSizeBytes')
      : given(wanted, 'HorizontalResolution', 'VerticalResolution');
  const added = newResource(host, name, `${settingsId(machine.id)}\\${host.newGuid()}`, properties);
  if (name === 'remotefx-display') checkRemoteFx(added, host);
  return { machine: withResource(machine, added), added };
}

function requireRemoteFx(machine: Machine, host: RuleHost): void {
  if (host.remoteFx === 'removed')
    throw new HyperVError(
      HV.failed,
      'The RemoteFX 3D video adapter cannot be added: the component has been removed from this host by an update.',
    );
  if (host.remoteFx === 'absent')
    throw new HyperVError(
      HV.failed,
      'The RemoteFX 3D video adapter needs a graphics processor of the host that is enabled for it.',
    );
  if (generationOf(machine) === 2 && !host.release.isTen)
    throw new HyperVError(
      HV.invalidParameter,
      'A generation 2 virtual machine of this host has no RemoteFX 3D video adapter.',
    );
}

/** F1: what the adapter's numbers may be. */
export function checkRemoteFx(adapter: CimInstance, host: RuleHost): void {
  const { properties } = adapter;
  const resolution = RESOLUTIONS[numberOf(properties['MaximumScreenResolution'], -1)];
  const most = resolution?.monitors[host.release.isTen ? 'ten' : 'six'] ?? 0;
  if (most === 0)
    throw new HyperVError(HV.invalidParameter, 'This host has no such MaximumScreenResolution.');
  const monitors = numberOf(properties['MaximumMonitors']);
  if (monitors < 1 || monitors > most)
    throw new HyperVError(HV.invalidParameter, `With this resolution MaximumMonitors is 1 to ${most}.`);
  const memory = properties['VRAMSizeBytes'];
  if (memory === undefined || memory === null || numberOf(memory) === 0) return;
  if (!VIDEO_MEMORY_MB.includes(numberOf(memory) / MEBIBYTE))
    throw new HyperVError(HV.invalidParameter, `VRAMSizeBytes is one of ${VIDEO_MEMORY_MB.join(', ')} MB.`);
}

export function requireOff(machine: Machine): void {
  if (machine.enabledState === STATE.off) return;
  throw new HyperVError(
    HV.invalidState,
    'The video adapter can be changed only while the virtual machine is off.',
  );
}

/** What the engine shows in place of the plain video adapter. */
export function remoteFxOf(
  machine: Machine,
): { readonly monitors: number; readonly width: number; readonly height: number } | undefined {
  const adapter = resourcesOf(machine).find((one) => isKind(one, 'remotefx-display'));
  if (adapter === undefined) return undefined;
  const resolution = RESOLUTIONS[numberOf(adapter.properties['MaximumScreenResolution'])] ?? RESOLUTIONS[0];
  return {
    monitors: numberOf(adapter.properties['MaximumMonitors'], 1),
    width: resolution.width,
    height: resolution.height,
  };
}

function given(wanted: CimInstance, ...names: readonly string[]): Record<string, CimValue> {
  const found: Record<string, CimValue> = {};
  for (const name of names) {
    const value = wanted.properties[name];
    if (value !== undefined && value !== null) found[name] = value;
  }
  return found;
}
