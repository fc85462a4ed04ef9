import { ApiError, type Failure, type RenderedFailure } from '../kernel/errors.js';

/** Neutron's exceptions by name, with their HTTP status; clients match on the names (neutron-lib, exceptions). */
const STATUS = {
  NetworkNotFound: 404,
  SubnetNotFound: 404,
  PortNotFound: 404,
  SecurityGroupNotFound: 404,
  SecurityGroupRuleNotFound: 404,
  ExtensionNotFound: 404,
  InvalidInput: 400,
  InvalidIpForNetwork: 400,
  InvalidIpForSubnet: 400,
  SecurityGroupInvalidPortRange: 400,
  SecurityGroupInvalidIcmpValue: 400,
  SecurityGroupInvalidProtocolType: 400,
  SecurityGroupMissingIcmpType: 400,
  PolicyNotAuthorized: 403,
  NetworkInUse: 409,
  SubnetInUse: 409,
  IpAddressAlreadyAllocated: 409,
  IpAddressGenerationFailure: 409,
  MacAddressInUse: 409,
  SecurityGroupInUse: 409,
  SecurityGroupCannotRemoveDefault: 403,
  SecurityGroupCannotUpdateDefault: 409,
  SecurityGroupDefaultAlreadyExists: 409,
  SecurityGroupRuleExists: 409,
  OutOfBoundsAllocationPool: 409,
  OverlappingAllocationPools: 409,
  GatewayConflictWithAllocationPools: 409,
} as const;

export type NeutronErrorType = keyof typeof STATUS;

export const neutronError = (type: NeutronErrorType, message: string): ApiError =>
  new ApiError(STATUS[type], message, { type });

const GENERIC: Readonly<Record<number, string>> = {
  400: 'HTTPBadRequest',
  403: 'HTTPForbidden',
  404: 'HTTPNotFound',
  409: 'HTTPConflict',
  500: 'HTTPInternalServerError',
};

/** `{"NeutronError": {"type", "message", "detail"}}` */
export function neutronFailure({ status, message, type }: Failure): RenderedFailure {
  return {
    body: { NeutronError: { type: type ?? GENERIC[status] ?? 'HTTPClientError', message, detail: '' } },
  };
}
