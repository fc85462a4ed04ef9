/** The host's NUMA nodes. */
export interface NumaTopology {
  readonly nodes: readonly NumaNode[];
  /** Msvm_VirtualSystemManagementServiceSettingData.NumaSpanningEnabled */
  readonly spanning: boolean;
}

export interface NumaNode {
  readonly id: number;
  /** Numbers of its logical processors. */
  readonly processors: readonly number[];
  readonly memoryMb: number;
}

/** Processors and memory in even parts; what is left over goes to the first nodes. */
export function evenTopology(host: {
  readonly nodes: number;
  readonly processors: number;
  readonly memoryMb: number;
  readonly spanning: boolean;
}): NumaTopology {
  const part = (whole: number, id: number): number =>
    Math.floor(whole / host.nodes) + (id < whole % host.nodes ? 1 : 0);
  let first = 0;
  const nodes = Array.from({ length: host.nodes }, (_, id) => {
    const count = part(host.processors, id);
    const processors = Array.from({ length: count }, (_unused, index) => first + index);
    first += count;
    return { id, processors, memoryMb: part(host.memoryMb, id) };
  });
  return { nodes, spanning: host.spanning };
}
