import type { BackendStats } from '../backends/backend.js';

const GIB = 2 ** 30;

/** A back end as the scheduler sees it. */
export interface Candidate {
  readonly name: string;
  readonly host: string;
  readonly protocol: string;
  readonly stats: BackendStats;
  /** Sizes of its volumes, GiB. */
  readonly provisionedGb: number;
}

export interface Wanted {
  readonly sizeGb: number;
  /** Of the volume's type. */
  readonly extraSpecs: Readonly<Record<string, string>>;
  /** Host of a snapshot or volume that is copied: only its back end has it. */
  readonly onlyHost?: string | null;
}

/** cinder.conf `max_over_subscription_ratio`: volumes are thin, so that their sizes may be more than there is. */
export const OVER_SUBSCRIPTION = 20;

/** cinder/scheduler/filters/extra_specs_ops.py, the operators that make sense for texts. */
function fits(actual: string | undefined, spec: string): boolean {
  if (actual === undefined) return false;
  const [operator, ...words] = spec.trim().split(/\s+/);
  if (operator === '<is>') return /^(true|t|yes|y|on|1)$/i.test(words.join(' ')) === (actual === 'True');
  if (operator === '<in>') return words.every((word) => word === '<in>' || actual.includes(word));
  if (operator === '<or>') return words.filter((word) => word !== '<or>').includes(actual);
  if (operator === 's==') return actual === words.join(' ');
  return actual === spec.trim();
}

function reasonAgainst(candidate: Candidate, wanted: Wanted): string | null {
  const capabilities: Readonly<Record<string, string>> = {
    volume_backend_name: candidate.name,
    storage_protocol: candidate.protocol,
    multiattach: 'False',
  };
  for (const [key, spec] of Object.entries(wanted.extraSpecs)) {
    const name = key.replace(/^capabilities:/, '');
    // What is scoped otherwise is for somebody else.
    if (name.includes(':')) continue;
    if (!fits(capabilities[name], spec)) return `it does not have ${name} ${spec}`;
  }
  if (wanted.onlyHost !== undefined && wanted.onlyHost !== candidate.host)
    return 'what the volume is made from is elsewhere';
  const { freeBytes, totalBytes } = candidate.stats;
  const provisioned = (candidate.provisionedGb + wanted.sizeGb) * GIB;
  if (freeBytes * OVER_SUBSCRIPTION < wanted.sizeGb * GIB || provisioned > totalBytes * OVER_SUBSCRIPTION)
    return `it has ${Math.floor(freeBytes / GIB)} GiB free and ${candidate.provisionedGb} GiB given away`;
  return null;
}

export type Choice = { readonly host: string } | { readonly host: null; readonly reason: string };

/**
 * The back end with the most free space of those that fit (CapacityFilter, CapabilitiesFilter, CapacityWeigher); the first of equals. Those on
 * one file system are equals, though they were not asked in the same instant: less than 1 GiB makes no difference.
 */
export function chooseBackend(candidates: readonly Candidate[], wanted: Wanted): Choice {
  const against = candidates.map((candidate) => reasonAgainst(candidate, wanted));
  const fitting = candidates.filter((_, index) => against[index] === null);
  const best = fitting.reduce<Candidate | undefined>(
    (found, next) =>
      found === undefined || next.stats.freeBytes >= found.stats.freeBytes + GIB ? next : found,
    undefined,
  );
  if (best !== undefined) return { host: best.host };
  const reasons = candidates.map(({ name }, index) => `${name}: ${against[index] ?? ''}`);
  return {
    host: null,
    reason: reasons.length === 0 ? 'no back end serves' : reasons.join('; '),
  };
}
