import type { CinderClient, ComputeService, RequestedNetwork } from '@nova-hyperv/compute';
import type { ImageMeta } from '@nova-hyperv/driver';

/** The compute services of this process by host; a host may register late or never. */
export type ComputeRegistry =
  ReadonlyMap<string, ComputeService> | ((host: string) => ComputeService | undefined);

/** An image as its owner sees it. */
export interface ImageView extends ImageMeta {
  /** Glance's: `active`, `queued`, `deactivated`, … */
  readonly status: string;
}

/** What the compute API asks of Glance. */
export interface ImageApi {
  /** Null when there is no such image or the token's owner may not see it. */
  get(imageId: string, token: string): Promise<ImageView | null>;
  /** An image without data, the token owner's; its id. */
  create(image: Readonly<Record<string, unknown>>, token: string): Promise<string>;
  /** Harmless when there is none. */
  delete(imageId: string, token: string): Promise<void>;
}

export interface NetworkView {
  readonly id: string;
  readonly name: string;
  readonly external: boolean;
  readonly adminStateUp: boolean;
  readonly projectId: string;
  readonly shared: boolean;
  readonly subnetIds: readonly string[];
}

export interface PortView {
  readonly id: string;
  readonly networkId: string;
  readonly mac: string;
  readonly status: string;
  readonly deviceId: string;
  readonly fixedIps: readonly { readonly subnetId: string; readonly address: string }[];
  readonly securityGroupIds: readonly string[];
}

export interface SecurityGroupView {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly projectId: string;
  readonly rules: readonly SecurityGroupRuleView[];
}

export interface SecurityGroupRuleView {
  readonly id: string;
  readonly direction: string;
  readonly protocol: string | null;
  readonly portMin: number | null;
  readonly portMax: number | null;
  readonly cidr: string | null;
  readonly remoteGroupId: string | null;
}

/** What the compute API asks of Neutron; every question as the token's owner. */
export interface NetworkApi {
  networks(token: string): Promise<readonly NetworkView[]>;
  /** Null when there is none that the owner may see. */
  port(portId: string, token: string): Promise<PortView | null>;
  portsOf(instanceUuid: string, token: string): Promise<readonly PortView[]>;
  deletePort(portId: string, token: string): Promise<void>;
  /** Replaces the groups of a port. */
  setSecurityGroups(portId: string, groupIds: readonly string[], token: string): Promise<void>;
  securityGroups(projectId: string, token: string): Promise<readonly SecurityGroupView[]>;
}

/** Amounts by resource class: `{ VCPU: 1, MEMORY_MB: 512, DISK_GB: 1 }`. */
export type Resources = Readonly<Record<string, number>>;

export interface CandidateQuery {
  readonly resources: Resources;
  readonly requiredTraits: readonly string[];
  readonly forbiddenTraits: readonly string[];
}

/** A provider that could give the resources, with what it has free of each class. */
export interface Candidate {
  readonly providerUuid: string;
  readonly free: Resources;
}

export interface Claim {
  readonly consumerUuid: string;
  readonly providerUuid: string;
  readonly resources: Resources;
  readonly projectId: string;
  readonly userId: string;
}

/** What the scheduler asks of Placement, as the cloud's service user. */
export interface PlacementApi {
  candidates(query: CandidateQuery): Promise<readonly Candidate[]>;
  /** Replaces whatever the consumer has. False when someone else was faster. */
  claim(claim: Claim): Promise<boolean>;
  /** Gives one consumer what another has, in one transaction. False when that one has nothing. */
  move(fromConsumer: string, toConsumer: string): Promise<boolean>;
  /** Harmless when there is nothing. */
  release(consumerUuid: string): Promise<void>;
  /** Harmless when there is nothing. */
  deleteProvider(providerUuid: string): Promise<void>;
}

/** Requests of networks as the API resolved them; never `auto`: that is answered before anything is stored. */
export type ResolvedNetworks = 'none' | readonly RequestedNetwork[];

/** What the compute API asks of Cinder, as the owner of one token. Refusals are ComputeErrors by Nova's names. */
export type VolumeApi = Pick<
  CinderClient,
  | 'volume'
  | 'snapshot'
  | 'reserve'
  | 'deleteAttachment'
  | 'attachments'
  | 'beginDetaching'
  | 'rollDetaching'
  | 'deleteVolume'
>;
