import { createCinderClient, type CinderClient, type CinderClientOptions } from './cinder.js';
import { createGlanceClient, type GlanceClient } from './glance.js';
import { createKeyManagerClient, type KeyManagerClient } from './key-manager.js';
import { createNeutronClient, type NeutronClient } from './neutron.js';
import { createPlacementClient, type PlacementClient } from './placement.js';

/** Base URLs as in the service catalogue, with or without the API's version at the end. */
export interface ServiceEndpoints {
  readonly image: string;
  readonly network: string;
  readonly placement: string;
  /** Without one instances with shielding data are refused. */
  readonly keyManager?: string;
  /** Without one instances with volumes are refused. */
  readonly volume?: string;
}

export interface ServiceClients {
  readonly images: GlanceClient;
  readonly network: NeutronClient;
  readonly placement: PlacementClient;
  readonly keyManager?: KeyManagerClient;
  readonly volumes?: CinderClient;
  close(): Promise<void>;
}

/** The clients of the services that the compute manager and the compute API talk to; close them when done. */
export function createServiceClients(
  options: Omit<CinderClientOptions, 'baseUrl'> & { readonly endpoints: ServiceEndpoints },
): ServiceClients {
  const { endpoints, tokensOf, ...common } = options;
  const images = createGlanceClient({ ...common, baseUrl: endpoints.image });
  const network = createNeutronClient({ ...common, baseUrl: endpoints.network });
  const placement = createPlacementClient({ ...common, baseUrl: endpoints.placement });
  const keyManager =
    endpoints.keyManager === undefined
      ? undefined
      : createKeyManagerClient({ ...common, baseUrl: endpoints.keyManager });
  const volumes =
    endpoints.volume === undefined
      ? undefined
      : createCinderClient({
          ...common,
          baseUrl: endpoints.volume,
          ...(tokensOf === undefined ? {} : { tokensOf }),
        });
  return {
    ...(volumes === undefined ? {} : { volumes }),
    ...(keyManager === undefined ? {} : { keyManager }),
    images,
    network,
    placement,
    async close() {
      await Promise.all([
        images.close(),
        network.close(),
        placement.close(),
        keyManager?.close(),
        volumes?.close(),
      ]);
    },
  };
}
