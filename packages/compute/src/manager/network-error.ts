import { ComputeError } from '../errors.js';
import { isStatus } from '../rest/rest-error.js';

/** Neutron's refusals of a new or changed port (the `type` of its NeutronError) by the name that Nova gives them. */
const REFUSALS: Readonly<
  Record<
    string,
    {
      readonly name: 'PortLimitExceeded' | 'NoMoreFixedIps' | 'FixedIpAlreadyInUse';
      readonly message: string;
    }
  >
> = {
  OverQuota: {
    name: 'PortLimitExceeded',
    message: 'Maximum number of ports exceeded. Delete unused ports or ask for a higher quota.',
  },
  IpAddressGenerationFailure: {
    name: 'NoMoreFixedIps',
    message: 'No fixed IP addresses available for network. Free addresses, or choose another network.',
  },
  IpAddressAlreadyAllocated: {
    name: 'FixedIpAlreadyInUse',
    message: 'The fixed IP address is already in use on the network. Choose another one.',
  },
  IpAddressInUse: {
    name: 'FixedIpAlreadyInUse',
    message: 'The fixed IP address is already in use on the network. Choose another one.',
  },
};

/** The error of a port request as Nova names it, or the error itself. */
export function portError(error: unknown): unknown {
  if (!isStatus(error, 400, 409) || error.serviceErrorType === null) return error;
  const refusal = REFUSALS[error.serviceErrorType];
  return refusal === undefined ? error : new ComputeError(refusal.name, refusal.message, { cause: error });
}
