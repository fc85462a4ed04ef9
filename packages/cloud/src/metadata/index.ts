import { DEFAULT_COMPUTE_CONFIG } from '@nova-hyperv/compute';
import { answerErrors } from '../kernel/errors.js';
import { randomPassword, readOrCreateSecret } from '../kernel/secrets.js';
import type { CloudKernel, CloudService } from '../kernel/service.js';
import { MetadataInstances, type MetadataConfig } from './instances.js';
import { metadataFailure, registerMetadataRoutes } from './routes.js';

export type { MetadataConfig } from './instances.js';
export { metadataOptions } from './options.js';
export { sign } from './signature.js';

const SECRET = 'metadata-proxy-shared-secret';

export interface MetadataService extends CloudService {
  /** [neutron] metadata_proxy_shared_secret: what proxies sign with. Known once the cloud was made. */
  sharedSecret(): string;
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
  return {
    type: 'metadata',
    name: 'nova-api-metadata',
    path: '',
    endpoint: null,
    migrations: {},
    sharedSecret,
    async register(app) {
      answerErrors(app, metadataFailure, () => `${kernel.publicUrl()}/identity`);
      registerMetadataRoutes(app, { instances, secret: sharedSecret });
    },
    async prepare() {
      secret = await readOrCreateSecret(kernel.stateDir, SECRET, randomPassword);
    },
  };
}
