import type { HostNuma, HostNumaNode } from '@nova-hyperv/hyperv';

const BAR_WIDTH = 32;

/** A host's NUMA nodes as text: a bar for each, and who holds how much of it. */
export function drawNuma(host: string, { nodes, spanning }: HostNuma): string {
  const count = `${nodes.length} NUMA node${nodes.length === 1 ? '' : 's'}`;
  const widest = Math.max(
    4,
    ...nodes.flatMap(({ machines }) => machines.map(({ name }) => printable(name).length)),
  );
  return [
    `${printable(host)}: ${count}, NUMA spanning ${spanning ? 'on' : 'off'}`,
    ...nodes.flatMap((node) => drawNode(node, widest)),
  ].join('\n');
}

function drawNode(node: HostNumaNode, widest: number): readonly string[] {
  const { id, processors, memoryMb, freeMb, machines } = node;
  const held = Math.max(0, memoryMb - freeMb);
  const filled = memoryMb === 0 ? 0 : Math.min(BAR_WIDTH, Math.round((held / memoryMb) * BAR_WIDTH));
  const bar = '#'.repeat(filled).padEnd(BAR_WIDTH, '.');
  return [
    `  node ${id}  [${bar}]  ${freeMb} of ${memoryMb} MB free, processors ${ranges(processors)}`,
    ...machines
      .toSorted((a, b) => b.memoryMb - a.memoryMb || a.name.localeCompare(b.name))
      .map(
        ({ name, memoryMb: size }) =>
          `          ${printable(name).padEnd(widest)}  ${String(size).padStart(8)} MB`,
      ),
  ];
}

/** `0-3,6`; the numbers are ascending. */
export function ranges(numbers: readonly number[]): string {
  const parts: { first: number; last: number }[] = [];
  for (const number of numbers) {
    const part = parts.at(-1);
    if (part?.last === number - 1) part.last = number;
    else parts.push({ first: number, last: number });
  }
  return (
    parts.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(',') || 'none'
  );
}

/** Names come from the host: nothing in them may move the cursor. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '?');
}
