import type { DriverContext } from './context.js';
import type { PlanHostFacts } from './plan/input.js';
import { asksForRemoteFx } from './plan/video.js';
import type { Instance } from './types.js';

/** What a plan must know of the host's devices, read anew: only instances that need it pay for the queries. */
export async function withDeviceFacts(
  { host, config }: DriverContext,
  instance: Instance,
  facts: PlanHostFacts,
): Promise<PlanHostFacts> {
  const needsPci = (instance.pciDevices?.length ?? 0) > 0 && facts.windowsVersion.major >= 10;
  const needsRemoteFx = config.enableRemoteFx && asksForRemoteFx({ instance });
  if (!needsPci && !needsRemoteFx) return facts;
  const [pciDevices, remoteFx] = await Promise.all([
    needsPci ? host.pci.list() : undefined,
    needsRemoteFx ? host.remoteFx() : undefined,
  ]);
  return {
    ...facts,
    ...(pciDevices === undefined ? {} : { pciDevices }),
    ...(remoteFx === undefined ? {} : { remoteFx }),
  };
}
