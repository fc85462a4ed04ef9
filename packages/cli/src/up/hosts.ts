import type { WindowsRelease } from '@nova-hyperv/emulator';
import { CliError, EXIT } from '../errors.js';

/** An emulated host as configured. */
export interface HostSpec {
  /** Computer name; also the compute service's host and the hypervisor's name. */
  readonly name: string;
  readonly release: WindowsRelease;
}

export const RELEASES: readonly WindowsRelease[] = ['2012R2', '2016', '2019', '2022', '2025'];

export const DEFAULT_HOSTS: readonly HostSpec[] = [{ name: 'hyperv1', release: '2022' }];

/** NetBIOS computer names: 1 to 15 letters, digits and hyphens, not digits alone. */
const COMPUTER_NAME = /^(?!\d+$)[A-Za-z0-9]([A-Za-z0-9-]{0,13}[A-Za-z0-9])?$/;

/** Parses `NAME:RELEASE`; the release may be left out (2022). */
export function parseHost(argument: string): HostSpec {
  const [name = '', release = '2022', ...rest] = argument.split(':');
  const known = RELEASES.find((candidate) => candidate.toLowerCase() === release.toLowerCase());
  if (rest.length > 0 || !COMPUTER_NAME.test(name)) {
    throw new CliError(
      `--host ${argument}: expected NAME:RELEASE, with a computer name of 1 to 15 letters, digits and hyphens`,
      EXIT.usage,
    );
  }
  if (known === undefined) {
    throw new CliError(
      `--host ${argument}: unknown Windows release; known are ${RELEASES.join(', ')}`,
      EXIT.usage,
    );
  }
  return { name, release: known };
}

/**
 * The hosts to run: those of the state folder plus those given now. A host keeps its release for life, because its
 * machines were made for it.
 */
export function mergeHosts(stored: readonly HostSpec[], given: readonly HostSpec[]): readonly HostSpec[] {
  const merged = new Map(stored.map((host) => [host.name.toLowerCase(), host]));
  for (const host of given) {
    const old = merged.get(host.name.toLowerCase());
    if (old !== undefined && old.release !== host.release) {
      throw new CliError(
        `host ${old.name} runs Windows Server ${old.release} in this state folder and cannot become ${host.release}; choose another name or another --state`,
        EXIT.usage,
      );
    }
    merged.set(host.name.toLowerCase(), old ?? host);
  }
  return merged.size > 0 ? [...merged.values()] : DEFAULT_HOSTS;
}
