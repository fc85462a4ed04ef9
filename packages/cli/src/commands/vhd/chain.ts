import { acceptedParents, inspect, VhdError, type DiskInfo, type ResolveParent } from '@nova-hyperv/vhd';

/** As many as the library opens below one another. */
const MAX_CHAIN = 128;

/**
 * A disk and its parents, the nearest first. Only headers are read.
 * @throws VhdError `VHD_PARENT_MISSING`, `VHD_PARENT_MISMATCH`; `VHD_CORRUPT` for a circle.
 */
export async function readChain(file: string, resolveParent: ResolveParent): Promise<readonly DiskInfo[]> {
  const chain = [await inspect(file)];
  for (;;) {
    const child = chain.at(-1);
    if (child?.parent === undefined) return chain;
    if (chain.length > MAX_CHAIN)
      throw new VhdError('VHD_CORRUPT', `${file}: more than ${MAX_CHAIN} parents: the chain is a circle.`, {
        path: file,
      });
    chain.push(await readParent(child.path, child.parent.paths, resolveParent));
  }
}

async function readParent(
  child: string,
  paths: readonly string[],
  resolveParent: ResolveParent,
): Promise<DiskInfo> {
  const found = paths.map((locator) => resolveParent(locator, child)).find((file) => file !== undefined);
  if (found === undefined) {
    throw new VhdError(
      'VHD_PARENT_MISSING',
      `The parent of ${child} was not found (${paths.join(', ')}); --parent-folder says where else it may be.`,
      { path: child },
    );
  }
  const parent = await inspect(found);
  // A merge that was cut off leaves children that accept their parent under two identifiers.
  const accepted = await acceptedParents(child);
  if (accepted.includes(parent.dataWriteIdentifier ?? parent.identifier)) return parent;
  throw new VhdError(
    'VHD_PARENT_MISMATCH',
    `${found} is not the disk that ${child} was made from: it was written to, or replaced, since.`,
    { path: found },
  );
}
