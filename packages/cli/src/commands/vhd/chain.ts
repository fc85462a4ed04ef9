import { inspect, VhdError, type DiskInfo, type ResolveParent } from '@nova-hyperv/vhd';

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
    chain.push(await readParent(child, child.parent, resolveParent));
  }
}

async function readParent(
  child: DiskInfo,
  { identifier, paths }: NonNullable<DiskInfo['parent']>,
  resolveParent: ResolveParent,
): Promise<DiskInfo> {
  const found = paths.map((locator) => resolveParent(locator, child.path)).find((file) => file !== undefined);
  if (found === undefined) {
    throw new VhdError(
      'VHD_PARENT_MISSING',
      `The parent of ${child.path} was not found (${paths.join(', ')}); --parent-folder says where else it may be.`,
      { path: child.path },
    );
  }
  const parent = await inspect(found);
  if ((parent.dataWriteIdentifier ?? parent.identifier) === identifier) return parent;
  throw new VhdError(
    'VHD_PARENT_MISMATCH',
    `${found} is not the disk that ${child.path} was made from: it was written to, or replaced, since.`,
    { path: found },
  );
}
