import type { NodeView } from '../store/service-store.js';

/** What `capabilities:` extra specs can compare. */
const FACTS: Readonly<Record<string, (node: NodeView) => string | number>> = {
  hypervisor_type: (node) => node.hypervisorType,
  hypervisor_version: (node) => node.hypervisorVersion,
  hypervisor_hostname: (node) => node.hypervisorHostname,
  host: (node) => node.host,
  vcpus_total: (node) => node.vcpus,
  vcpus_used: (node) => node.vcpusUsed,
  free_ram_mb: (node) => node.memoryMb - node.memoryMbUsed,
  total_usable_ram_mb: (node) => node.memoryMb,
  free_disk_mb: (node) => (node.localGb - node.localGbUsed) * 1024,
  total_usable_disk_gb: (node) => node.localGb,
};

type Compare = (fact: string, wanted: string) => boolean;
const NUMERIC: Readonly<Record<string, (fact: number, wanted: number) => boolean>> = {
  '=': (fact, wanted) => fact >= wanted,
  '==': (fact, wanted) => fact === wanted,
  '!=': (fact, wanted) => fact !== wanted,
  '>=': (fact, wanted) => fact >= wanted,
  '<=': (fact, wanted) => fact <= wanted,
};
const TEXTUAL: Readonly<Record<string, Compare>> = {
  's==': (fact, wanted) => fact === wanted,
  's!=': (fact, wanted) => fact !== wanted,
  's>=': (fact, wanted) => fact >= wanted,
  's>': (fact, wanted) => fact > wanted,
  's<=': (fact, wanted) => fact <= wanted,
  's<': (fact, wanted) => fact < wanted,
  '<in>': (fact, wanted) => fact.includes(wanted),
};

/** `>= 6003`, `s== x`, `<or> a <or> b`, or a plain value. nova/scheduler/filters/extra_specs_ops.py */
export function matchesSpec(fact: string, wanted: string): boolean {
  const words = wanted.trim().split(/\s+/);
  const [operator = '', operand = ''] = words;
  if (operator === '<or>') {
    return words.some((word, index) => index % 2 === 1 && word === fact);
  }
  const numeric = NUMERIC[operator];
  if (numeric !== undefined && words.length === 2) return numeric(Number(fact), Number(operand));
  const textual = TEXTUAL[operator];
  if (textual !== undefined && words.length === 2) return textual(fact, operand);
  return fact === wanted.trim();
}

/**
 * Why a node does not have the capabilities that a flavor asks for, or null. Only keys with the prefix count: Nova's
 * filter takes bare keys too, which made every unrelated property of a flavor a reason to refuse a host.
 */
export function missingCapability(
  extraSpecs: Readonly<Record<string, string>>,
  node: NodeView,
): string | null {
  for (const [key, wanted] of Object.entries(extraSpecs)) {
    if (!key.startsWith('capabilities:')) continue;
    const name = key.slice('capabilities:'.length);
    const fact = Object.hasOwn(FACTS, name) ? FACTS[name]?.(node) : undefined;
    if (fact === undefined) return `the flavor asks for ${key}, which no host reports`;
    if (!matchesSpec(String(fact), wanted)) return `the flavor asks for ${key} ${wanted}, it is ${fact}`;
  }
  return null;
}
