import type { Flavor } from '@nova-hyperv/driver';
import { z } from 'zod';
import { isStatus } from './rest-error.js';
import { RestClient, segment, type RestClientOptions } from './rest-client.js';

/** A server as Nova shows it to an administrator, as far as its machine follows from it. */
export interface NovaServer {
  readonly id: string;
  readonly name: string;
  /** OS-EXT-SRV-ATTR:instance_name: the machine's name on its host. */
  readonly instanceName: string;
  readonly hostname: string;
  readonly projectId: string;
  readonly userId: string;
  /** '' when it boots from a volume. */
  readonly imageId: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** As it was when the server was made or resized. */
  readonly flavor: Flavor;
}

export interface NovaClient {
  /** By id, else by name. Undefined when there is none. @throws RestError */
  flavor(nameOrId: string): Promise<Flavor | undefined>;
  /** @throws RestError status 404 when there is no such server */
  server(id: string): Promise<NovaServer>;
  close(): Promise<void>;
}

/** 2.61: a flavor is shown with its extra specs; 2.47: a server with its flavor's content. */
const MICROVERSION = '2.61';

const extraSpecs = z.record(z.string(), z.string());
const size = z.union([z.number(), z.literal('')]).transform((value) => (value === '' ? 0 : value));
const sizes = {
  vcpus: z.number(),
  ram: z.number(),
  disk: z.number(),
  swap: size.default(0),
  'OS-FLV-EXT-DATA:ephemeral': z.number().optional(),
  ephemeral: z.number().optional(),
  extra_specs: extraSpecs.default({}),
};
const flavorSchema = z.looseObject({ id: z.string(), name: z.string(), ...sizes });
const serverSchema = z.looseObject({
  server: z.looseObject({
    id: z.string(),
    name: z.string(),
    'OS-EXT-SRV-ATTR:instance_name': z.string().default(''),
    'OS-EXT-SRV-ATTR:hostname': z.string().default(''),
    tenant_id: z.string().default(''),
    user_id: z.string().default(''),
    image: z.union([z.looseObject({ id: z.string() }), z.literal('')]),
    metadata: z.record(z.string(), z.string()).default({}),
    flavor: z.looseObject({ original_name: z.string(), ...sizes }),
  }),
});

function toFlavor(flavorId: string, name: string, of: z.infer<typeof flavorSchema>): Flavor {
  return {
    flavorId,
    name,
    vcpus: of.vcpus,
    memoryMb: of.ram,
    rootGb: of.disk,
    ephemeralGb: of['OS-FLV-EXT-DATA:ephemeral'] ?? of.ephemeral ?? 0,
    swapMb: of.swap,
    extraSpecs: of.extra_specs,
  };
}

/** Nova, Compute API. Base URL with or without `/v2.1`. */
export function createNovaClient(options: Omit<RestClientOptions, 'service'>): NovaClient {
  const rest = new RestClient({ ...options, service: 'compute' });
  const get = <T>(path: string, schema: z.ZodType<T>): Promise<T> =>
    rest.json(
      {
        method: 'GET',
        path: `/v2.1${path}`,
        headers: { 'openstack-api-version': `compute ${MICROVERSION}` },
      },
      schema,
    );
  const flavorById = async (id: string): Promise<Flavor | undefined> => {
    try {
      const { flavor } = await get(`/flavors/${segment(id)}`, z.object({ flavor: flavorSchema }));
      return toFlavor(flavor.id, flavor.name, flavor);
    } catch (error) {
      if (isStatus(error, 404)) return undefined;
      throw error;
    }
  };
  return {
    async flavor(nameOrId) {
      const byId = await flavorById(nameOrId);
      if (byId !== undefined) return byId;
      const list = z.object({ flavors: z.array(z.looseObject({ id: z.string(), name: z.string() })) });
      const { flavors } = await get('/flavors?is_public=None', list);
      const named = flavors.find(({ name }) => name === nameOrId);
      return named === undefined ? undefined : flavorById(named.id);
    },
    async server(id) {
      const { server } = await get(`/servers/${segment(id)}`, serverSchema);
      const { flavor } = server;
      return {
        id: server.id,
        name: server.name,
        instanceName: server['OS-EXT-SRV-ATTR:instance_name'],
        hostname: server['OS-EXT-SRV-ATTR:hostname'],
        projectId: server.tenant_id,
        userId: server.user_id,
        imageId: server.image === '' ? '' : server.image.id,
        metadata: server.metadata,
        flavor: toFlavor('', flavor.original_name, { id: '', name: flavor.original_name, ...flavor }),
      };
    },
    close: () => rest.close(),
  };
}
