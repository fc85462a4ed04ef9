import type { FastifyInstance } from 'fastify';
import { multiple, parameters, parseCount, single } from '../../kernel/collection.js';
import { ApiError, badRequest } from '../../kernel/errors.js';
import { BAD_QUERY, begin, type PlacementDeps } from '../deps.js';
import { needMinor } from '../microversion.js';
import { type MatchedProvider, matchProviders } from './match.js';
import { parseMemberOf, parseRequired, parseResources } from './query.js';

const KNOWN = new Set([
  'resources',
  'required',
  'root_required',
  'member_of',
  'in_tree',
  'limit',
  'group_policy',
]);

/** Numbered groups are refused: every candidate here is one provider, so that a request split over several has no answer. */
function refuseUnknown(query: object): void {
  for (const name of Object.keys(query)) {
    if (KNOWN.has(name)) continue;
    const message = /^(resources|required|member_of|in_tree|same_subtree)/.test(name)
      ? `The query parameter ${name} is not served: this cloud's providers have no children, use the unnumbered parameters.`
      : `Invalid query string parameters: '${name}' is not one of this resource's.`;
    throw new ApiError(400, message, { type: BAD_QUERY });
  }
}

function allocationRequest(
  provider: MatchedProvider,
  resources: Readonly<Record<string, number>>,
  minor: number,
): unknown {
  if (minor < 12) return { allocations: [{ resource_provider: { uuid: provider.uuid }, resources }] };
  return {
    allocations: { [provider.uuid]: { resources } },
    ...(minor >= 34 ? { mappings: { '': [provider.uuid] } } : {}),
  };
}

function summary(
  provider: MatchedProvider,
  resources: Readonly<Record<string, number>>,
  minor: number,
): unknown {
  // Before 1.27 only the classes asked for are shown.
  const shown = provider.inventories.filter((row) => minor >= 27 || row.resource_class in resources);
  return {
    resources: Object.fromEntries(
      shown.map(({ resource_class: name, capacity, used }) => [name, { capacity, used }]),
    ),
    ...(minor >= 17 ? { traits: provider.traits } : {}),
    ...(minor >= 29
      ? { parent_provider_uuid: provider.parent_uuid, root_provider_uuid: provider.root_uuid }
      : {}),
  };
}

/** `GET /allocation_candidates`, since 1.10: providers with room for all that is asked. */
export function registerCandidateRoutes(app: FastifyInstance, deps: PlacementDeps): void {
  app.get('/allocation_candidates', async (request, reply) => {
    const minor = await begin(deps, request, reply);
    needMinor(minor, 10);
    const { query } = request;
    refuseUnknown(parameters(query));
    const wanted = single(query, 'resources');
    if (wanted === undefined)
      throw badRequest("Invalid query string parameters: 'resources' is a required property");
    const resources = parseResources(wanted);
    const limit = single(query, 'limit');
    const count = limit === undefined ? undefined : parseCount(limit, 'limit');
    if (count === 0)
      throw new ApiError(400, "Invalid query string parameters: 'limit' is at least 1.", { type: BAD_QUERY });
    const tree = single(query, 'in_tree');
    const traits = [...multiple(query, 'required'), ...multiple(query, 'root_required')];
    const found = await matchProviders(deps.db, {
      resources,
      required: traits.map((text) => parseRequired(text, minor)),
      memberOf: multiple(query, 'member_of').map(parseMemberOf),
      ...(tree === undefined ? {} : { tree }),
    });
    const candidates = count === undefined ? found : found.slice(0, count);
    return {
      allocation_requests: candidates.map((provider) => allocationRequest(provider, resources, minor)),
      provider_summaries: Object.fromEntries(
        candidates.map((provider) => [provider.uuid, summary(provider, resources, minor)]),
      ),
    };
  });
}
