import { DEFAULT_COMPUTE_CONFIG, rootListing } from '@nova-hyperv/compute';
import type { FastifyInstance } from 'fastify';
import { answerErrors } from '../kernel/errors.js';
import { randomPassword, readOrCreateSecret } from '../kernel/secrets.js';
import type { CloudKernel, CloudService } from '../kernel/service.js';
import { createHttpApp } from '../kernel/http-app.js';
import type { ProxiedAnswer, ProxiedRequest } from '../network/node/index.js';
import { MetadataInstances, type MetadataConfig } from './instances.js';
import { sign } from './signature.js';
import { metadataFailure, registerMetadataRoutes } from './routes.js';

export type { MetadataConfig } from './instances.js';
export { metadataOptions } from './options.js';

const SECRET = 'metadata-proxy-shared-secret';

export interface MetadataService extends CloudService {
  /** [neutron] metadata_proxy_shared_secret: what proxies sign with. Known once the cloud was made. */
  sharedSecret(): string;
  /** What a proxy signs an instance's UUID with. */
  sign(identifier: string): string;
  /** A request of a proxy beside it, which reaches this service alone. */
  request(request: ProxiedRequest): Promise<ProxiedAnswer>;
}

/**
 * Nova's metadata API, at the cloud's root. Guests never reach it themselves: proxies ask for them and sign whom they ask for. It has no
 * place in the catalogue.
 */
export function createMetadataService(
  kernel: CloudKernel,
  config: Partial<MetadataConfig> = {},
): MetadataService {
  let secret: string | undefined;
  const sharedSecret = (): string => {
    if (secret === undefined) throw new Error('The metadata service is not prepared yet');
    return secret;
  };
  const { dhcpDomain, vendordataJsonfilePath, defaultAvailabilityZone } = DEFAULT_COMPUTE_CONFIG;
  const instances = new MetadataInstances(kernel.db, {
    dhcpDomain,
    vendordataJsonfilePath,
    defaultAvailabilityZone,
    ...config,
  });
  const register = (app: FastifyInstance): void => {
    answerErrors(app, metadataFailure, () => `${kernel.publicUrl()}/identity`);
    registerMetadataRoutes(app, { instances, secret: sharedSecret });
  };
  const own = createHttpApp(kernel.log);
  own.get('/', async (_request, reply) => reply.type('text/plain; charset=UTF-8').send(rootListing()));
  own.register(async (scope) => register(scope));
  return {
    type: 'metadata',
    name: 'nova-api-metadata',
    path: '',
    endpoint: null,
    migrations: {},
    sharedSecret,
    sign: (identifier) => sign(sharedSecret(), identifier),
    async register(app) {
      register(app);
    },
    async request({ method, url, headers, payload }) {
      const answer = await own.inject({ method, url, headers, payload });
      const contentType = answer.headers['content-type'];
      return {
        status: answer.statusCode,
        contentType: typeof contentType === 'string' ? contentType : 'text/plain',
        body: answer.rawPayload,
      };
    },
    async prepare() {
      secret = await readOrCreateSecret(kernel.stateDir, SECRET, randomPassword);
      await own.ready();
    },
    stop: () => own.close(),
  };
}
