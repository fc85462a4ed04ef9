import { hostedFlavor, pciRequestsOf, type InstanceRecord } from '@nova-hyperv/compute';
import type { Nova } from '../deps.js';
import type { Candidate } from '../ports.js';
import type { RequestSpec } from '../store/request-specs.js';
import { COMPUTE_FILTER, FILTERS, FORCED_FILTERS, type HostFilter } from './filters.js';
import { loadHostStates, type HostState, type SchedulingRequest } from './host-state.js';
import { canonicalImage } from './image-properties.js';
import { candidateQuery } from './resources.js';

/** Why a host is out. */
export interface Removal {
  readonly host: string;
  readonly filter: string;
  readonly reason: string;
}

/** Nova's NoValidHost. `message` is for the user; `removals` are for administrators. */
export class NoValidHostError extends Error {
  readonly code = 'NO_VALID_HOST';
  readonly removals: readonly Removal[];
  constructor(advice: string, removals: readonly Removal[]) {
    super(`No valid host was found. ${advice}`);
    this.name = 'NoValidHost';
    this.removals = removals;
  }

  /** Whether hosts are out only until their services have started. */
  mayPass(): boolean {
    return this.removals.length === 0 || this.removals.some(({ filter }) => filter === COMPUTE_FILTER);
  }

  /** One line for each host. */
  details(): string {
    if (this.removals.length === 0) return 'No compute host has ever reported.';
    return this.removals.map(({ host, filter, reason }) => `${host}: ${filter}: ${reason}`).join('\n');
  }
}

export interface FilterResult {
  readonly passed: readonly HostState[];
  readonly removals: readonly Removal[];
  /** The filter that removed the last host. */
  readonly last: HostFilter | null;
}

/** Filters hosts one filter after another. Pure. */
export function filterHosts(
  hosts: readonly HostState[],
  request: SchedulingRequest,
  filters: readonly HostFilter[],
): FilterResult {
  let passed = hosts;
  const removals: Removal[] = [];
  for (const filter of filters) {
    const kept: HostState[] = [];
    for (const host of passed) {
      const reason = filter.reject(host, request);
      if (reason === null) kept.push(host);
      else removals.push({ host: host.host, filter: filter.name, reason });
    }
    if (kept.length === 0 && passed.length > 0) return { passed: kept, removals, last: filter };
    passed = kept;
  }
  return { passed, removals, last: null };
}

export interface Choice {
  readonly host: HostState;
  readonly candidate: Candidate;
}

const freeMemory = (choice: Choice): number => choice.candidate.free['MEMORY_MB'] ?? 0;

/** Most free memory first; equals in random order, so that they share the load. Pure but for `random`. */
export function weigh(choices: readonly Choice[], random: () => number): readonly Choice[] {
  return choices
    .map((choice) => ({ choice, tie: random() }))
    .toSorted((a, b) => freeMemory(b.choice) - freeMemory(a.choice) || a.tie - b.tie)
    .map(({ choice }) => choice);
}

async function hostsOfHinted(
  nova: Nova,
  spec: RequestSpec,
  projectId: string,
): Promise<ReadonlyMap<string, string | null>> {
  const uuids = ['same_host', 'different_host'].flatMap((hint) => spec.hints[hint] ?? []);
  if (uuids.length === 0) return new Map();
  const rows = await nova.db
    .selectFrom('compute_instance')
    .select(['uuid', 'host'])
    .where('uuid', 'in', uuids.map(String).slice(0, 100))
    .where('project_id', '=', projectId)
    .where('deleted', '=', 0)
    .execute();
  return new Map(rows.map((row) => [row.uuid, row.host]));
}

async function toRequest(
  nova: Nova,
  instance: InstanceRecord,
  spec: RequestSpec,
): Promise<SchedulingRequest> {
  return {
    flavor: instance.flavor,
    image: canonicalImage(spec.imageProperties),
    availabilityZone: spec.availabilityZone,
    requestedHost: spec.requestedHost,
    requestedNode: spec.requestedNode,
    excludedHosts: spec.excludedHosts,
    pciRequests: pciRequestsOf(instance.flavor, nova.pciAliases),
    hints: spec.hints,
    hostsOfServers: await hostsOfHinted(nova, spec, instance.projectId),
  };
}

const describe = (resources: Readonly<Record<string, number>>): string =>
  Object.entries(resources)
    .map(([name, amount]) => `${name} ${amount}`)
    .join(', ');

/**
 * Hosts that could take a build, best first.
 * @throws NoValidHostError
 */
export async function selectHosts(
  nova: Nova,
  instance: InstanceRecord,
  spec: RequestSpec,
): Promise<readonly Choice[]> {
  const request = await toRequest(nova, instance, spec);
  const hosts = await loadHostStates(nova, instance.uuid);
  const { passed, removals, last } = filterHosts(hosts, request, spec.forced ? FORCED_FILTERS : FILTERS);
  if (passed.length === 0) {
    const advice = last === null ? 'There are not enough hosts available.' : last.advice(request);
    throw new NoValidHostError(advice, removals);
  }
  const query = candidateQuery(hostedFlavor(instance, instance.flavor), spec.imageProperties);
  const candidates = new Map((await nova.placement.candidates(query)).map((one) => [one.providerUuid, one]));
  const choices: Choice[] = [];
  const short: Removal[] = [];
  for (const host of passed) {
    const candidate = candidates.get(host.node.uuid);
    if (candidate !== undefined) choices.push({ host, candidate });
    else short.push({ host: host.host, filter: 'Placement', reason: missing(query.resources, query) });
  }
  if (choices.length === 0) {
    throw new NoValidHostError(
      `There are not enough hosts available: none has room for ${missing(query.resources, query)}.`,
      [...removals, ...short],
    );
  }
  return weigh(choices, nova.random);
}

function missing(
  resources: Readonly<Record<string, number>>,
  traits: { readonly requiredTraits: readonly string[]; readonly forbiddenTraits: readonly string[] },
): string {
  const required = traits.requiredTraits.length === 0 ? '' : ` with ${traits.requiredTraits.join(', ')}`;
  const forbidden =
    traits.forbiddenTraits.length === 0 ? '' : ` without ${traits.forbiddenTraits.join(', ')}`;
  return `${describe(resources)}${required}${forbidden}`;
}
