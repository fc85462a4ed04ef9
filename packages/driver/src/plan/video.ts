import { DriverError } from '../errors.js';
import type { EarlyPlanInput } from './input.js';
import { versionText } from './generation.js';
import { compareVersions } from './limits.js';
import type { Generation, VideoSpec } from './vm-spec.js';

/**
 * Resolutions of the RemoteFX adapter in the order of their WMI values, with the monitors that each goes with before Windows 10.0 and
 * from then on. Source: the RemoteFX table of the hosts' own management tools (Set-VMRemoteFx3dVideoAdapter).
 */
const RESOLUTIONS: readonly {
  readonly name: string;
  readonly monitors: { readonly six: number; readonly ten: number };
}[] = [
  { name: '1024x768', monitors: { six: 4, ten: 8 } },
  { name: '1280x1024', monitors: { six: 4, ten: 8 } },
  { name: '1600x1200', monitors: { six: 3, ten: 4 } },
  { name: '1920x1200', monitors: { six: 2, ten: 4 } },
  { name: '2560x1600', monitors: { six: 1, ten: 2 } },
  { name: '3840x2160', monitors: { six: 0, ten: 1 } },
];

const VRAM_MB = [64, 128, 256, 512, 1024];
const TEN = [10, 0, 0] as const;
/** Windows Server 2022: no later release has had RemoteFX at all. */
const FIRST_WITHOUT = [10, 0, 20_348] as const;

/** What a flavor without os:resolution, or with nothing in it, does not ask for. */
export function asksForRemoteFx({ instance }: Pick<EarlyPlanInput, 'instance'>): boolean {
  return (instance.flavor.extraSpecs['os:resolution'] ?? '') !== '';
}

/** The video adapter: RemoteFX where the flavor asks for it by os:resolution, with os:monitors and os:vram. */
export function planVideo(input: EarlyPlanInput, generation: Generation): VideoSpec {
  const { extraSpecs } = input.instance.flavor;
  if (!asksForRemoteFx(input)) {
    const stray = ['os:monitors', 'os:vram'].find((name) => (extraSpecs[name] ?? '') !== '');
    if (stray === undefined) return { kind: 'synthetic' };
    throw unacceptable(
      `has ${stray}=${extraSpecs[stray]} and no os:resolution, which is what asks for RemoteFX: set it, or remove ${stray}`,
    );
  }
  refuseHost(input, generation);
  const { windowsVersion } = input.host;
  const isTen = compareVersions(windowsVersion, TEN) >= 0;
  const age = isTen ? 'ten' : 'six';
  const known = RESOLUTIONS.filter(({ monitors }) => monitors[age] > 0);
  const wanted = extraSpecs['os:resolution'] ?? '';
  const index = RESOLUTIONS.findIndex(({ name }) => name === wanted);
  const resolution = RESOLUTIONS[index];
  if (resolution === undefined || resolution.monitors[age] === 0) {
    throw unacceptable(
      `has os:resolution=${wanted}; host ${input.host.name} has ${known.map(({ name }) => name).join(', ')}`,
      resolution === undefined ? 'request' : 'host',
    );
  }
  const most = resolution.monitors[age];
  const monitors = number('os:monitors', extraSpecs['os:monitors'] ?? '1');
  if (monitors < 1 || monitors > most) {
    const elsewhere = monitors >= 1 && monitors <= resolution.monitors.ten;
    throw unacceptable(
      `has os:monitors=${extraSpecs['os:monitors']}; with ${wanted} host ${input.host.name} has 1 to ${most}`,
      elsewhere ? 'host' : 'request',
    );
  }
  return { kind: 'remotefx', resolution: index, monitors, vramMb: vram(isTen) };

  /** Hosts before 10.0 choose for themselves. */
  function vram(isHonoured: boolean): number | null {
    const text = extraSpecs['os:vram'] ?? '';
    if (text === '') return null;
    const megabytes = number('os:vram', text);
    if (!VRAM_MB.includes(megabytes))
      throw unacceptable(`has os:vram=${text}; it is one of ${VRAM_MB.join(', ')} (MB)`);
    return isHonoured ? megabytes : null;
  }

  function number(name: string, text: string): number {
    if (/^\d{1,6}$/.test(text)) return Number(text);
    throw unacceptable(`has ${name}=${text}, which is no whole number`);
  }

  function unacceptable(what: string, scope: 'request' | 'host' = 'request'): DriverError {
    return new DriverError('InstanceUnacceptable', `Flavor ${input.instance.flavor.name} ${what}.`, {
      scope,
    });
  }
}

/** In the order in which an operator would put things right. */
function refuseHost({ instance, host, config }: EarlyPlanInput, generation: Generation): void {
  const refuse = (what: string): never => {
    throw new DriverError(
      'InstanceUnacceptable',
      `Flavor ${instance.flavor.name} asks for RemoteFX (os:resolution), and ${what}.`,
      { scope: 'host' },
    );
  };
  const { windowsVersion, remoteFx } = host;
  if (compareVersions(windowsVersion, FIRST_WITHOUT) >= 0)
    refuse(
      `host ${host.name} (Windows ${versionText(host)}) does not have it: Microsoft removed it from Windows Server (KB4570006). Use Discrete Device Assignment instead, which gives a whole graphics processor to an instance: pci_passthrough:alias`,
    );
  if (!config.enableRemoteFx)
    refuse(`it is not enabled on host ${host.name}: set enable_remotefx in [hyperv] of nova.conf there`);
  if (remoteFx?.hasRole !== true)
    refuse(
      `host ${host.name} lacks the role service Remote Desktop Virtualization Host: Install-WindowsFeature RDS-Virtualization there`,
    );
  if (remoteFx?.gpuCapable === false)
    refuse(
      `host ${host.name} has no graphics processor for it: one with DirectX 11 and a WDDM 1.2 driver is needed, enabled in Hyper-V's settings`,
    );
  if (remoteFx?.slatCapable === false)
    refuse(`the processors of host ${host.name} lack second level address translation, which it needs`);
  if (generation === 2 && compareVersions(windowsVersion, TEN) < 0)
    refuse(
      `host ${host.name} (Windows ${versionText(host)}) has it for generation 1 only: Windows Server 2016 (10.0) has it for generation 2, too`,
    );
}
