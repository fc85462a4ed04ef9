import { randomInt, randomUUID } from 'node:crypto';
import { ApiError, badRequest, forbidden } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import { links, type Call, type Route } from '../api/call.js';
import type { Nova } from '../deps.js';
import { visibleFlavor } from '../flavors/routes.js';
import type { ImageView, ResolvedNetworks } from '../ports.js';
import { checkPciRequests } from './pci-checks.js';
import { checkTraits } from '../scheduler/resources.js';
import { findKeypair } from '../store/keypairs.js';
import { driverFlavor, type FlavorRecord } from '../store/flavors.js';
import { limitsOf } from '../store/quotas.js';
import type { NewServer } from '../store/records.js';
import type { RequestSpec } from '../store/request-specs.js';
import { insertServers } from '../store/server-writes.js';
import { planDevices, type DevicePlan } from './block-devices/plan.js';
import { mappingsOf, type Mapping } from './block-devices/request.js';
import { newDevice, withReservedVolumes } from './block-devices/reserve.js';
import { lookAtSources } from './block-devices/sources.js';
import { createSchema, type ServerBody } from './create-schema.js';
import { sanitizeHostname } from './hostname.js';
import { checkImage, checkNuma, imageSystemMetadata } from './image-checks.js';
import { resolveNetworks } from './network-checks.js';
import { resolveSecurityGroups, type GroupChoice } from './security-groups.js';
import { resolveDestination, type Destination } from './placement-request.js';

/** Most servers of one request. */
const MAX_COUNT = 1000;

/** Everything that a request asks for, checked: from here on nothing can be refused but for quota. */
interface CheckedRequest {
  readonly server: ServerBody;
  readonly min: number;
  readonly max: number;
  readonly flavor: FlavorRecord;
  readonly image: ImageView;
  readonly devices: DevicePlan;
  readonly volumes: readonly Mapping[];
  readonly keyData: string | null;
  readonly networks: ResolvedNetworks;
  readonly securityGroups: readonly GroupChoice[];
  readonly destination: Destination;
  readonly hints: Readonly<Record<string, unknown>>;
}

function refuse(what: string): never {
  throw badRequest(`${what} is not served by this cloud: leave it out.`);
}

/** What Nova does and this cloud does not yet: refused, never ignored. */
function refuseUnserved(server: ServerBody): void {
  if ((server.personality?.length ?? 0) > 0)
    refuse('personality (injected files; use user_data or a config drive)');
  if ((server.trusted_image_certificates?.length ?? 0) > 0) refuse('trusted_image_certificates');
  if (server.adminPass !== undefined) refuse('adminPass (use a key pair or user_data)');
  if (server.accessIPv4 || server.accessIPv6) refuse('accessIPv4 and accessIPv6');
}

function counts(server: ServerBody): { min: number; max: number } {
  const min = server.min_count ?? 1;
  const max = server.max_count ?? min;
  if (min > max) throw badRequest('min_count must be <= max_count');
  if (max > MAX_COUNT) throw badRequest(`max_count must be <= ${MAX_COUNT}`);
  if (max > 1 && server.hostname !== undefined) {
    throw badRequest('Unable to allocate a single hostname to multiple instances');
  }
  return { min, max };
}

/** The last part of an identifier that may be a resource's address. */
const lastPart = (reference: string): string => reference.split('/').at(-1) ?? '';

/** Null when the request names none, and boots from a volume. */
async function findImage(nova: Nova, call: Call, id: string): Promise<ImageView | null> {
  if (id === '') return null;
  const image = await nova.images.get(id, call.token);
  if (image === null) throw badRequest('Can not find requested image');
  return image;
}

async function findFlavorOf(nova: Nova, call: Call, server: ServerBody): Promise<FlavorRecord> {
  const id = lastPart(server.flavorRef);
  try {
    return await visibleFlavor(nova, call, id);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) throw badRequest(error.message);
    throw error;
  }
}

async function findKey(nova: Nova, call: Call, keyName: string | undefined): Promise<string | null> {
  if (keyName === undefined) return null;
  const row = await findKeypair(nova.db, call.context.userId, keyName);
  if (row === undefined) throw badRequest('Invalid key_name provided.');
  return row.public_key;
}

/** There are no server groups, so none can be named; hints that no filter reads are kept, as in Nova. */
function checkHints(hints: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { group } = hints;
  if (group !== undefined) throw badRequest(`Instance group ${JSON.stringify(group)} could not be found.`);
  return hints;
}

async function check(nova: Nova, call: Call): Promise<CheckedRequest> {
  const body = parse(createSchema(call.version), call.body);
  const { server } = body;
  refuseUnserved(server);
  const { min, max } = counts(server);
  const destination = await resolveDestination(nova, call, server);
  const flavor = await findFlavorOf(nova, call, server);
  const imageId = lastPart(server.imageRef ?? '');
  const mappings = mappingsOf(server, imageId);
  if (mappings.length === 0) throw badRequest('Invalid imageRef provided.');
  const named = await findImage(nova, call, imageId);
  const devices = planDevices(mappings, imageId, driverFlavor(flavor), max);
  const { image, volumes } = await lookAtSources(nova, call.token, devices, named);
  checkImage(image, flavor, call.context, devices.bootVolume === null ? 'image' : 'volume');
  checkTraits(flavor.extraSpecs, image.properties);
  checkNuma(driverFlavor(flavor), image.properties);
  checkPciRequests(nova, flavor);
  const limit = (await limitsOf(nova.db, call.context.projectId, nova.config)).metadata_items;
  if (limit >= 0 && Object.keys(server.metadata ?? {}).length > limit) {
    throw forbidden(`Maximum number of metadata items exceeds ${limit}`);
  }
  const asker = { projectId: call.context.projectId, token: call.token };
  return {
    server,
    min,
    max,
    flavor,
    image,
    devices,
    volumes,
    destination,
    keyData: await findKey(nova, call, server.key_name),
    networks: await resolveNetworks(nova, asker, server.networks, max),
    securityGroups: await resolveSecurityGroups(nova, asker, server.security_groups),
    hints: checkHints(body['os:scheduler_hints'] ?? body['OS-SCH-HNT:scheduler_hints'] ?? {}),
  };
}

const ID_CHARACTERS = 'abcdefghijklmnopqrstuvwxyz0123456789';
/** `r-` and eight characters. */
const newReservationId = (): string =>
  `r-${Array.from({ length: 8 }, () => ID_CHARACTERS[randomInt(ID_CHARACTERS.length)]).join('')}`;

function newServer(call: Call, request: CheckedRequest, reservationId: string, index: number): NewServer {
  const { server, flavor, image } = request;
  const uuid = randomUUID();
  // Several servers of one request are told apart by their number: vm-1, vm-2.
  const displayName = request.max > 1 ? `${server.name}-${index + 1}` : server.name;
  return {
    uuid,
    displayName,
    displayDescription: call.version >= 19 ? (server.description ?? null) : displayName,
    hostname: server.hostname ?? sanitizeHostname(displayName, `Server-${uuid}`),
    userId: call.context.userId,
    projectId: call.context.projectId,
    imageRef: request.devices.bootVolume === null ? image.id : '',
    flavor: driverFlavor(flavor),
    ephemeralsGb: request.devices.ephemeralsGb,
    keyName: server.key_name ?? null,
    keyData: request.keyData,
    userData: server.user_data ?? null,
    configDrive: server.config_drive ?? false,
    availabilityZone: request.destination.availabilityZone,
    metadata: server.metadata ?? {},
    systemMetadata: imageSystemMetadata(image),
    reservationId,
    launchIndex: index,
    tags: [...new Set(server.tags ?? [])],
    diskConfig: server['OS-DCF:diskConfig'] ?? 'MANUAL',
  };
}

const newSpec = (call: Call, request: CheckedRequest, server: NewServer): RequestSpec => ({
  instanceUuid: server.uuid,
  requestId: call.context.requestId,
  imageProperties: request.image.properties,
  networks: request.networks,
  securityGroups: request.securityGroups.map((group) => group.reference),
  // A server without ports has no groups either.
  securityGroupNames: request.networks === 'none' ? [] : request.securityGroups.map((group) => group.name),
  ...request.destination,
  hints: request.hints,
  attempts: 0,
  excludedHosts: [],
  lastError: null,
});

/** Answers when the builds are stored: from then on they survive the end of this process. */
async function create(nova: Nova, call: Call): Promise<object> {
  if (call.context.projectId === '')
    throw forbidden('A token of a project is needed: log in with a project.');
  const request = await check(nova, call);
  const reservationId = newReservationId();
  const wanted = Array.from({ length: request.max }, (_, index) =>
    newServer(call, request, reservationId, index),
  );
  const devices = wanted.flatMap(({ uuid }) => request.volumes.map((volume) => newDevice(uuid, volume)));
  const stored = await withReservedVolumes(nova, call.token, devices, (reserved) =>
    insertServers(nova, {
      servers: wanted,
      minimum: request.min,
      context: call.context,
      spec: (server) => newSpec(call, request, server),
      devices: ({ uuid }) => reserved.filter(({ instanceUuid }) => instanceUuid === uuid),
    }),
  );
  nova.wakeConductor();
  if (request.server.return_reservation_id === true) return { reservation_id: reservationId };
  const uuid = stored[0]?.uuid ?? '';
  call.reply.header('Location', `${call.versionUrl}/servers/${uuid}`);
  return {
    server: {
      id: uuid,
      links: links(call, 'servers', uuid),
      'OS-DCF:diskConfig': request.server['OS-DCF:diskConfig'] ?? 'MANUAL',
      security_groups: request.securityGroups.map(({ name }) => ({ name })),
    },
  };
}

export function registerServerCreate(route: Route, nova: Nova): void {
  route('POST', '/servers', (call) => create(nova, call), { status: 202 });
}
