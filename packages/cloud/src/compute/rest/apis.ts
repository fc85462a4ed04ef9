import { AsyncLocalStorage } from 'node:async_hooks';
import {
  createServiceClients,
  RestError,
  segment,
  type CinderClient,
  type NeutronPort,
  type ServiceClients,
  type TokenSource,
} from '@nova-hyperv/compute';
import { request } from 'undici';
import { z } from 'zod';
import { ApiError } from '../../kernel/errors.js';
import type { CloudKernel } from '../../kernel/service.js';
import type {
  Candidate,
  ImageApi,
  NetworkApi,
  PlacementApi,
  PortView,
  SecurityGroupView,
  VolumeApi,
} from '../ports.js';

/** Placement could not do with these in one query. */
const MAX_CANDIDATES = 1000;
const TIMEOUT_MS = 30_000;

const hasStatus = (error: unknown, status: number): boolean =>
  error instanceof RestError && error.status === status;

async function orNull<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    // Glance and Neutron answer 400 or 404 to an identifier that is no UUID.
    if (hasStatus(error, 404) || hasStatus(error, 400)) return null;
    throw error;
  }
}

const RULE = z.looseObject({
  id: z.string(),
  direction: z.string(),
  protocol: z.union([z.string(), z.number().transform(String)]).nullish(),
  port_range_min: z.number().nullish(),
  port_range_max: z.number().nullish(),
  remote_ip_prefix: z.string().nullish(),
  remote_group_id: z.string().nullish(),
});
const GROUP = z.looseObject({
  id: z.string(),
  name: z.string(),
  description: z.string().nullish(),
  project_id: z.string().nullish(),
  tenant_id: z.string().nullish(),
  security_group_rules: z.array(RULE).default([]),
});

function toGroup(value: unknown): SecurityGroupView {
  const group = GROUP.parse(value);
  return {
    id: group.id,
    name: group.name,
    description: group.description ?? '',
    projectId: group.project_id ?? group.tenant_id ?? '',
    rules: group.security_group_rules.map((rule) => ({
      id: rule.id,
      direction: rule.direction,
      protocol: rule.protocol ?? null,
      portMin: rule.port_range_min ?? null,
      portMax: rule.port_range_max ?? null,
      cidr: rule.remote_ip_prefix ?? null,
      remoteGroupId: rule.remote_group_id ?? null,
    })),
  };
}

const toPort = (port: NeutronPort): PortView => ({
  id: port.id,
  networkId: port.networkId,
  mac: port.macAddress,
  status: port.status,
  deviceId: port.deviceId,
  fixedIps: port.fixedIps.map((ip) => ({ subnetId: ip.subnetId, address: ip.ipAddress })),
  securityGroupIds: port.securityGroups,
});

/**
 * The other services of the cloud over their REST APIs: images and networks with the caller's own token, so that they decide
 * what the caller may see, Placement as the service user. Connections open with the first use, when the cloud's address is known.
 */
export class RestApis {
  readonly #kernel: CloudKernel;
  /** The token of the user on whose behalf the present request goes out. */
  readonly #caller = new AsyncLocalStorage<string>();
  #clients: ServiceClients | null = null;

  constructor(kernel: CloudKernel) {
    this.#kernel = kernel;
  }

  async close(): Promise<void> {
    await this.#clients?.close();
    this.#clients = null;
  }

  #open(): ServiceClients {
    if (this.#clients !== null) return this.#clients;
    const url = this.#kernel.publicUrl();
    const tokens: TokenSource = {
      token: async () => this.#caller.getStore() ?? (await this.#kernel.serviceToken()),
    };
    this.#clients = createServiceClients({
      tokens,
      timeoutMs: TIMEOUT_MS,
      endpoints: {
        image: `${url}/image`,
        network: `${url}/network`,
        placement: `${url}/placement`,
        volume: `${url}/volume/v3`,
      },
    });
    return this.#clients;
  }

  /** Asks as the owner of the token. Trouble of the other service is 503 for our own client. */
  async #as<T>(token: string, ask: (clients: ServiceClients) => Promise<T>): Promise<T> {
    return this.#caller.run(token, () => this.#ask(ask));
  }

  async #ask<T>(ask: (clients: ServiceClients) => Promise<T>): Promise<T> {
    try {
      return await ask(this.#open());
    } catch (error) {
      if (error instanceof RestError && (error.status === null || error.status >= 500)) {
        throw new ApiError(503, error.message, { cause: error });
      }
      throw error;
    }
  }

  readonly images: ImageApi = {
    get: (imageId, token) =>
      this.#as(token, ({ images }) =>
        orNull(async () => {
          const { meta, status } = await images.show(imageId);
          return { ...meta, status };
        }),
      ),
    create: (image, token) =>
      this.#as(token, async ({ images }) => {
        try {
          return (await images.create(image)).meta.id;
        } catch (error) {
          if (!(error instanceof RestError) || error.status === null || error.status >= 500) throw error;
          throw new ApiError(error.status, error.serviceMessage, { cause: error });
        }
      }),
    delete: (imageId, token) => this.#as(token, ({ images }) => images.delete(imageId)),
  };

  readonly networks: NetworkApi = {
    networks: (token) =>
      this.#as(token, async ({ network }) =>
        (await network.networks({})).map((one) => ({
          id: one.id,
          name: one.name,
          external: one.external,
          adminStateUp: one.adminStateUp,
          projectId: one.projectId,
          shared: one.shared,
          subnetIds: one.subnets,
        })),
      ),
    port: (portId, token) =>
      this.#as(token, ({ network }) => orNull(async () => toPort(await network.showPort(portId)))),
    portsOf: (deviceId, token) =>
      this.#as(token, async ({ network }) => (await network.ports({ deviceId })).map(toPort)),
    deletePort: (portId, token) =>
      this.#as(token, async ({ network }) => {
        await orNull(() => network.deletePort(portId));
      }),
    setSecurityGroups: (portId, securityGroups, token) =>
      this.#as(token, async ({ network }) => {
        await network.updatePort(portId, { securityGroups });
      }),
    securityGroups: (projectId, token) =>
      this.#as(token, async ({ network }) => (await network.securityGroups({ projectId })).map(toGroup)),
  };

  readonly volumesAs = (token: string): VolumeApi => {
    const ask = <T>(work: (cinder: CinderClient) => Promise<T>): Promise<T> =>
      this.#as(token, ({ volumes }) => {
        if (volumes === undefined) throw new ApiError(503, 'This cloud has no block storage service.');
        return work(volumes);
      });
    return {
      volume: (id) => ask((cinder) => cinder.volume(id)),
      snapshot: (id) => ask((cinder) => cinder.snapshot(id)),
      reserve: (id, instanceUuid) => ask((cinder) => cinder.reserve(id, instanceUuid)),
      deleteAttachment: (id) => ask((cinder) => cinder.deleteAttachment(id)),
      attachments: (filter) => ask((cinder) => cinder.attachments(filter)),
      beginDetaching: (id) => ask((cinder) => cinder.beginDetaching(id)),
      rollDetaching: (id) => ask((cinder) => cinder.rollDetaching(id)),
      deleteVolume: (id) => ask((cinder) => cinder.deleteVolume(id)),
    };
  };

  readonly placement: PlacementApi = {
    candidates: async (query) => {
      const required = [...query.requiredTraits, ...query.forbiddenTraits.map((trait) => `!${trait}`)];
      const { requests, summaries } = await this.#open().placement.allocationCandidates({
        resources: query.resources,
        required,
        limit: MAX_CANDIDATES,
      });
      const providers = new Set(requests.flatMap((one) => Object.keys(one.allocations)));
      return [...providers].map((providerUuid): Candidate => {
        const resources = Object.entries(summaries[providerUuid]?.resources ?? {});
        const free = resources.map(([name, { capacity, used }]) => [name, capacity - used] as const);
        return { providerUuid, free: Object.fromEntries(free) };
      });
    },
    claim: async ({ consumerUuid, providerUuid, resources, projectId, userId }) => {
      try {
        const allocations = { [providerUuid]: { resources } };
        await this.#open().placement.putAllocations(consumerUuid, { allocations, projectId, userId });
        return true;
      } catch (error) {
        if (hasStatus(error, 409)) return false;
        throw error;
      }
    },
    move: (from, to) => this.#ask(({ placement }) => placement.moveAllocations(from, to)),
    release: (consumerUuid) => this.#ask(({ placement }) => placement.deleteAllocations(consumerUuid)),
    deleteProvider: async (providerUuid) => {
      const url = `${this.#kernel.publicUrl()}/placement/resource_providers/${segment(providerUuid)}`;
      const { statusCode, body } = await request(url, {
        method: 'DELETE',
        headers: { 'x-auth-token': await this.#kernel.serviceToken() },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      await body.dump();
      if (statusCode >= 300 && statusCode !== 404) {
        throw new ApiError(
          503,
          `Placement answered ${statusCode} when the resource provider ${providerUuid} was deleted.`,
        );
      }
    },
  };
}
