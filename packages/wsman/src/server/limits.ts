/** The service's limits, named as `winrm get winrm/config` names them. */
export interface WsmanServerLimits {
  /** Bytes of one message, either way. */
  readonly maxEnvelopeSize: number;
  /** Milliseconds; a longer OperationTimeout is cut to it. */
  readonly maxTimeoutMs: number;
  readonly maxBatchItems: number;
  /** Milliseconds after which an idle enumeration context dies. */
  readonly enumerationTimeoutMs: number;
  readonly maxConcurrentOperations: number;
  /** Of one user, so that the others still get some. */
  readonly maxConcurrentOperationsPerUser: number;
  readonly maxEnumerations: number;
  /** Of one user. */
  readonly maxEnumerationsPerUser: number;
  readonly maxConnections: number;
}

/** Windows Server 2012 and later, as installed. */
export const DEFAULT_SERVER_LIMITS: WsmanServerLimits = {
  maxEnvelopeSize: 512_000,
  maxTimeoutMs: 60_000,
  maxBatchItems: 32_000,
  enumerationTimeoutMs: 60_000,
  maxConcurrentOperations: 1500,
  maxConcurrentOperationsPerUser: 1000,
  maxEnumerations: 1000,
  maxEnumerationsPerUser: 500,
  maxConnections: 300,
};

/** A client that names no MaxEnvelopeSize is taken to read this much (DSP0226, 6.2). */
export const DEFAULT_CLIENT_ENVELOPE = 153_600;
/** Smaller is refused: a fault would not fit (DSP0226, R6.2-2). */
export const MIN_CLIENT_ENVELOPE = 8192;
/** Bytes that are read of somebody who has not proved who he is: an Identify has some 300. */
export const MAX_UNAUTHENTICATED = 8192;
/** Elements of one request: with the largest envelope some 12 bytes for each, less than any real message has. */
export const MAX_ELEMENTS = 40_000;
