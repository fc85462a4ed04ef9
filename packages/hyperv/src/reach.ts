import type { Duplex } from 'node:stream';

/**
 * How this process reaches a Hyper-V host's files and pipes. Paths are the host's (`C:\OpenStack\Instances\…`);
 * one mapping says where they are from here: a mounted share, or a folder of the emulated host.
 */
export interface HostReach {
  /** This machine's path of a host's path. Throws a typed error for paths that no mapping covers or that leave it. */
  local(hostPath: string): string;
  /** Opens `\\.\pipe\NAME`; undefined when there is no such pipe now (the machine is off). */
  openPipe(pipeName: string): Promise<Duplex | undefined>;
  /** False where pipes cannot be reached at all (a remote host): console features say so instead of waiting. */
  readonly pipesReachable: boolean;
}
