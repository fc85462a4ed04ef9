import type { DriverContext } from './context.js';
import type { PlanHostFacts } from './plan/input.js';
import { needsGuardedHost } from './plan/security.js';
import { asksForRemoteFx } from './plan/video.js';
import type { ImageMeta, Instance } from './types.js';

/** What a plan must know of the host besides its usual facts, read anew: only instances that need it pay for the queries. */
export async function withRequestFacts(
  { host, config }: DriverContext,
  { instance, image }: { readonly instance: Instance; readonly image: ImageMeta },
  facts: PlanHostFacts,
): Promise<PlanHostFacts> {
  const needsPci = (instance.pciDevices?.length ?? 0) > 0 && facts.windowsVersion.major >= 10;
  const needsRemoteFx = config.enableRemoteFx && asksForRemoteFx({ instance });
  const [pciDevices, remoteFx, guarded] = await Promise.all([
    needsPci ? host.pci.list() : undefined,
    needsRemoteFx ? host.remoteFx() : undefined,
    // Each time: a host can lose its attestation.
    needsGuardedHost(image) ? host.security.isGuarded() : undefined,
  ]);
  return {
    ...facts,
    ...(pciDevices === undefined ? {} : { pciDevices }),
    ...(remoteFx === undefined ? {} : { remoteFx }),
    ...(guarded === undefined ? {} : { guarded }),
  };
}
