/** Status codes of the iSCSI initiator. Source: Windows driver documentation, ISCSI_STATUS_QUALIFIERS (iscsierr.h). */
export const ISDSC = {
  nonSpecific: 0xefff_0001,
  loginFailed: 0xefff_0002,
  connectionFailed: 0xefff_0003,
  targetMovedTemporarily: 0xefff_0006,
  targetMovedPermanently: 0xefff_0007,
  initiatorError: 0xefff_0008,
  authenticationFailure: 0xefff_0009,
  authorizationFailure: 0xefff_000a,
  notFound: 0xefff_000b,
  targetRemoved: 0xefff_000c,
  unsupportedVersion: 0xefff_000d,
  tooManyConnections: 0xefff_000e,
  missingParameter: 0xefff_000f,
  targetError: 0xefff_0012,
  serviceUnavailable: 0xefff_0013,
  outOfResources: 0xefff_0014,
  invalidSessionId: 0xefff_001c,
  targetNotFound: 0xefff_0029,
  requestNotSupported: 0xefff_0037,
  serviceNotRunning: 0xefff_003e,
  alreadyLoggedIn: 0xefff_003f,
  deviceBusy: 0xefff_0040,
  portalNotFound: 0xefff_0043,
  invalidChapSecret: 0xefff_004a,
} as const;

const TEXTS: Readonly<Record<keyof typeof ISDSC, string>> = {
  nonSpecific: 'A non specific error occurred.',
  loginFailed: 'Login Failed.',
  connectionFailed: 'Connection Failed.',
  targetMovedTemporarily: 'Target Moved Temporarily.',
  targetMovedPermanently: 'Target Moved Permanently.',
  initiatorError: 'Initiator Error.',
  authenticationFailure: 'Authentication Failure.',
  authorizationFailure: 'Authorization Failure.',
  notFound: 'Not Found.',
  targetRemoved: 'Target Removed.',
  unsupportedVersion: 'Unsupported Version.',
  tooManyConnections: 'Too many Connections.',
  missingParameter: 'Missing Parameter.',
  targetError: 'Target Error.',
  serviceUnavailable: 'Service Unavailable.',
  outOfResources: 'Out of Resources.',
  invalidSessionId: 'The session id is invalid.',
  targetNotFound: 'The target name is not found or is marked as hidden from login.',
  requestNotSupported: 'The request is not supported.',
  serviceNotRunning: 'The Microsoft iSCSI Initiator Service is not running.',
  alreadyLoggedIn: 'The target has already been logged in via an iSCSI session.',
  deviceBusy: 'The session cannot be logged out since a device on that session is currently being used.',
  portalNotFound: 'The specified portal was not found.',
  invalidChapSecret: 'The CHAP secret must have 12 to 16 bytes.',
};

export class IscsiError extends Error {
  readonly code = 'ISCSI_FAILED';
  readonly why: keyof typeof ISDSC;
  /** One of {@link ISDSC}. */
  readonly status: number;
  constructor(why: keyof typeof ISDSC, detail: string, options?: ErrorOptions) {
    super(`${TEXTS[why]} (${detail})`, options);
    this.name = 'IscsiError';
    this.why = why;
    this.status = ISDSC[why];
  }
}

/** Status class and detail of a login response (RFC 7143, 11.13.5) as the initiator's status. */
const LOGIN_STATUS: Readonly<Record<number, keyof typeof ISDSC>> = {
  0x0101: 'targetMovedTemporarily',
  0x0102: 'targetMovedPermanently',
  0x0200: 'initiatorError',
  0x0201: 'authenticationFailure',
  0x0202: 'authorizationFailure',
  0x0203: 'notFound',
  0x0204: 'targetRemoved',
  0x0205: 'unsupportedVersion',
  0x0206: 'tooManyConnections',
  0x0207: 'missingParameter',
  0x0300: 'targetError',
  0x0301: 'serviceUnavailable',
  0x0302: 'outOfResources',
};

export function loginStatus(status: number): keyof typeof ISDSC {
  return LOGIN_STATUS[status] ?? 'loginFailed';
}
