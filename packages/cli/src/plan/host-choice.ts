import { cpus } from 'node:os';
import type { PlanHostFacts } from '@nova-hyperv/driver';
import type { WindowsRelease } from '@nova-hyperv/emulator';
import { CliError, EXIT } from '../errors.js';
import { PLANNED_SWITCH } from './placeholders.js';
import { RELEASES, type HostSpec } from '../up/hosts.js';
import { loadSettings, type StateFolder } from '../up/state-folder.js';

/** A host as the plan needs it, without asking one. */
export interface HostChoice {
  readonly facts: PlanHostFacts;
  /** What is taken for granted of it, in words. */
  readonly assumed: string;
}

/** Windows' own versions. Source: Microsoft, "Windows Server release information". */
const VERSIONS: Readonly<Record<WindowsRelease, PlanHostFacts['windowsVersion']>> = {
  '2012R2': { major: 6, minor: 3, build: 9600 },
  '2016': { major: 10, minor: 0, build: 14393 },
  '2019': { major: 10, minor: 0, build: 17763 },
  '2022': { major: 10, minor: 0, build: 20348 },
  '2025': { major: 10, minor: 0, build: 26100 },
};

/** More than any machine may have: a release alone refuses nobody for the host's size. */
const MANY_PROCESSORS = 2048;
const USUAL_MHZ = 2000;
/** Logical processors of an emulated host that is not told how many it has. */
const EMULATED_PROCESSORS = 8;
const REMOTE_FX = { hasRole: true, gpuCapable: true, slatCapable: true };
const EXTERNAL = { id: PLANNED_SWITCH, name: 'external', external: true };

/**
 * A Windows release, or a host of the state folder by its configuration.
 * @throws CliError for a name that is neither
 */
export async function chooseHost(name: string, state: StateFolder): Promise<HostChoice> {
  const release = RELEASES.find((one) => one.toLowerCase() === name.toLowerCase());
  if (release !== undefined) return hostOfRelease(release);
  const hosts = (await loadSettings(state))?.hosts ?? [];
  const host = hosts.find((one) => one.name.toLowerCase() === name.toLowerCase());
  if (host !== undefined) return configuredHost(host);
  throw new CliError(
    `--host ${name}: neither a Windows release (${RELEASES.join(', ')}) nor a host of ${state.root}${hosts.length === 0 ? '' : ` (${hosts.map((one) => one.name).join(', ')})`}`,
    EXIT.usage,
  );
}

function hostOfRelease(release: WindowsRelease): HostChoice {
  return {
    facts: {
      name: `windows-${release.toLowerCase()}`,
      windowsVersion: VERSIONS[release],
      logicalProcessors: MANY_PROCESSORS,
      processorMhz: USUAL_MHZ,
      clustered: false,
      guarded: VERSIONS[release].major >= 10,
      remoteFx: REMOTE_FX,
      switches: [EXTERNAL],
    },
    assumed: `a host of Windows Server ${release} outside of a cluster${VERSIONS[release].major >= 10 ? ', guarded' : ''}, with ${MANY_PROCESSORS} logical processors of ${USUAL_MHZ} MHz, an external switch, and what RemoteFX needs`,
  };
}

function configuredHost({ name, release, guarded = false, remoteFx }: HostSpec): HostChoice {
  return {
    facts: {
      name,
      windowsVersion: VERSIONS[release],
      logicalProcessors: EMULATED_PROCESSORS,
      processorMhz: cpus()[0]?.speed || USUAL_MHZ,
      clustered: false,
      guarded,
      remoteFx: { ...REMOTE_FX, hasRole: remoteFx === 'present' },
      switches: [EXTERNAL],
    },
    assumed: `host ${name} as configured (emulated Windows Server ${release}, ${EMULATED_PROCESSORS} logical processors), with an external switch; it was not asked`,
  };
}
