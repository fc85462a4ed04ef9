/** Match on `code`, never on the class: two copies of a package may be loaded. */
export class WsmanError extends Error {
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The service answered with a SOAP fault. */
export class WsmanFault extends WsmanError {
  /** Local name of the fault's subcode, e.g. `DestinationUnreachable`, `AccessDenied`. */
  readonly subcode: string;
  /** WSManFault@Code as an unsigned 32-bit number, when there was one. */
  readonly wsmanCode: number | undefined;
  /** The provider's HRESULT as an unsigned 32-bit number (0x8004xxxx for WMI), when there was one. */
  readonly hresult: number | undefined;
  /** True when the same request may succeed later (busy, quota). */
  readonly retryable: boolean;
  constructor(fields: {
    subcode: string;
    message: string;
    wsmanCode?: number | undefined;
    hresult?: number | undefined;
    retryable?: boolean;
  }) {
    super('WSMAN_FAULT', fields.message);
    this.subcode = fields.subcode;
    this.wsmanCode = fields.wsmanCode;
    this.hresult = fields.hresult;
    this.retryable = fields.retryable ?? false;
  }
}

/** Why there was no usable answer. */
export type TransportErrorCode =
  | 'WSMAN_UNREACHABLE'
  | 'WSMAN_DEADLINE'
  | 'WSMAN_UNAUTHORIZED'
  | 'WSMAN_TLS'
  | 'WSMAN_BAD_RESPONSE'
  | 'WSMAN_ABORTED';

/** No usable answer: refused connection, deadline, TLS, authentication, a body that is no envelope. */
export class WsmanTransportError extends WsmanError {
  /** True when the request is known not to have reached the service, so that sending it again is harmless. */
  readonly notSent: boolean;
  declare readonly code: TransportErrorCode;
  constructor(code: TransportErrorCode, message: string, options: ErrorOptions & { notSent?: boolean } = {}) {
    super(code, message, options);
    this.notSent = options.notSent ?? false;
  }
}

/** What a WMI provider throws; the server half turns it into the fault that Windows sends. */
export class WmiError extends WsmanError {
  /** Unsigned, e.g. 0x80041002. */
  readonly hresult: number;
  constructor(hresult: number, message: string, options?: ErrorOptions) {
    super('WMI_ERROR', message, options);
    this.hresult = hresult >>> 0;
  }
}

/** WBEM_E_* values used here. Source: WMI SDK, "WMI Error Constants". */
export const WBEM = {
  failed: 0x80041001,
  notFound: 0x80041002,
  accessDenied: 0x80041003,
  invalidParameter: 0x80041008,
  invalidNamespace: 0x8004100e,
  invalidClass: 0x80041010,
  providerNotCapable: 0x80041024,
  invalidQuery: 0x80041017,
  invalidMethod: 0x8004102e,
  invalidMethodParameters: 0x8004102f,
} as const;
