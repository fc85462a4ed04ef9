import type { CimInstance, CimReference, CimValue } from '../cim/value.js';

/** An instance together with its address; queries ask for `EnumerateObjectAndEPR`. */
export interface Found {
  readonly instance: CimInstance;
  readonly reference: CimReference;
}

export interface InvokeResult {
  /** The method's ReturnValue; what it means is the method's own affair (0 and 4096 in most). */
  readonly returnValue: number;
  /** Out parameters by documented name; null and absent ones are left out. */
  readonly out: Readonly<Record<string, CimValue>>;
}

export interface CallOptions {
  /** Ends the call with `WSMAN_ABORTED`. */
  readonly signal?: AbortSignal;
  /** Milliseconds; the request's OperationTimeout and the transport's own deadline follow from it. */
  readonly timeoutMs?: number;
}

/** As in WQL's ASSOCIATORS OF: AssocClass, ResultClass, Role, ResultRole. */
export interface AssociatorFilter {
  readonly associationClass?: string;
  readonly resultClass?: string;
  readonly role?: string;
  readonly resultRole?: string;
}

/** What the service calls itself. Source: DSP0226, 11. */
export interface Identity {
  readonly protocolVersion: string;
  readonly productVendor: string;
  readonly productVersion: string;
}

/** Counts what went over the wire; benchmarks and tests read it. */
export interface WireCounters {
  /** HTTP requests sent, pulls and releases included. */
  roundTrips: number;
  bytesSent: number;
  bytesReceived: number;
}

/**
 * The client half of WS-Management for WMI. Every method throws {@link WsmanFault} when the service answered
 * with a fault and {@link WsmanTransportError} when no answer came; both say whether a retry makes sense.
 */
export interface WsmanClient {
  readonly counters: WireCounters;
  identify(options?: CallOptions): Promise<Identity>;
  get(reference: CimReference, options?: CallOptions): Promise<CimInstance>;
  put(reference: CimReference, instance: CimInstance, options?: CallOptions): Promise<CimInstance>;
  create(instance: CimInstance, options?: CallOptions): Promise<CimReference>;
  delete(reference: CimReference, options?: CallOptions): Promise<void>;
  /** All results of a WQL query; pulls until the sequence ends. One round trip when the answer fits one envelope. */
  query(namespace: string, wql: string, options?: CallOptions): Promise<readonly Found[]>;
  /** All instances of a class and its subclasses. */
  enumerate(namespace: string, className: string, options?: CallOptions): Promise<readonly Found[]>;
  /** Instances associated with `source`. */
  associators(
    source: CimReference,
    filter: AssociatorFilter,
    options?: CallOptions,
  ): Promise<readonly Found[]>;
  /** Association instances that refer to `source`. */
  references(
    source: CimReference,
    filter: { resultClass?: string; role?: string },
    options?: CallOptions,
  ): Promise<readonly Found[]>;
  /**
   * Calls a method. Parameters are named as in the MOF; a parameter whose definition says `embeddedInstance`
   * takes {@link CimInstance}s and is sent as CIM-XML text; references take {@link CimReference}s.
   */
  invoke(
    reference: CimReference,
    method: string,
    parameters: Readonly<Record<string, CimValue>>,
    options?: CallOptions,
  ): Promise<InvokeResult>;
  close(): Promise<void>;
}
