import { EndpointReferenceError } from '../codec/endpoint-reference.js';
import { EnvelopeError } from '../codec/envelope.js';
import type { EnvelopeProblem } from '../codec/envelope.js';
import { faultOfWmiError, WSMAN_CODE } from '../codec/fault.js';
import type { FaultFields, FaultSubcode } from '../codec/fault.js';
import { FilterError } from '../codec/filter.js';
import { MemberError } from '../codec/members.js';
import { WmiError, WsmanError } from '../errors.js';
import { XmlError, XmlLimitError } from '../xml/reader.js';

/** A refusal by the service itself, ready to be written as a fault. */
export class FaultError extends WsmanError {
  readonly subcode: FaultSubcode;
  readonly wsmanCode: number | undefined;
  readonly detail: string | undefined;
  constructor(subcode: FaultSubcode, message: string, options: { code?: number; detail?: string } = {}) {
    super('WSMAN_REFUSED', message);
    this.subcode = subcode;
    this.wsmanCode = options.code;
    this.detail = options.detail;
  }
}

const ENVELOPE_FAULTS: Readonly<Record<EnvelopeProblem, FaultSubcode>> = {
  version: 'VersionMismatch',
  header: 'InvalidMessageInformationHeader',
  understand: 'MustUnderstand',
  body: 'SchemaValidationError',
};

const MEMBER_CODES = { unknown: 0x80338055, value: 0x80338054 } as const;

/** The fault for whatever went wrong; undefined for errors that are nobody's but the program's. */
export function faultOf(error: unknown, machine: string): FaultFields | undefined {
  if (error instanceof WmiError) return faultOfWmiError(error, machine);
  if (!(error instanceof WsmanError)) return undefined;
  const base = { message: error.message, machine };
  if (error instanceof FaultError) {
    return {
      ...base,
      subcode: error.subcode,
      ...(error.wsmanCode === undefined ? {} : { code: error.wsmanCode }),
      ...(error.detail === undefined ? {} : { detail: error.detail }),
    };
  }
  if (error instanceof EnvelopeError) return { ...base, subcode: ENVELOPE_FAULTS[error.reason] };
  if (error instanceof XmlLimitError) return { ...base, subcode: 'EncodingLimit' };
  if (error instanceof XmlError)
    return { ...base, subcode: 'SchemaValidationError', code: WSMAN_CODE.invalidXml };
  if (error instanceof EndpointReferenceError) return { ...base, subcode: 'InvalidSelectors' };
  if (error instanceof FilterError) {
    return {
      ...base,
      subcode: error.problem === 'dialect' ? 'FilterDialectRequestedUnavailable' : 'CannotProcessFilter',
    };
  }
  return undefined;
}

/**
 * Reading what a client sent: a member that the class or method does not have, or a value that is not of its type,
 * is the client's mistake. The same error while writing an answer is the provider's.
 */
export function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MemberError)) throw error;
    if (error.cause instanceof EndpointReferenceError || error.problem === 'shape') {
      throw new FaultError('SchemaValidationError', error.message);
    }
    throw new FaultError('InvalidParameter', error.message, { code: MEMBER_CODES[error.problem] });
  }
}
