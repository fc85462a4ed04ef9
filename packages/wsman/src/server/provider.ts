import type { CimInstance, CimReference, CimValue } from '../cim/value.js';
import type { Schema } from '../schema/schema.js';
import type { WqlQuery } from '../wql/ast.js';
import type { AssociatorFilter, Found, Identity, InvokeResult } from '../client/client.js';

/** Who asks. */
export interface Caller {
  readonly user: string;
}

/**
 * What a server of WS-Management serves. The server half does everything of the protocol (envelopes, paging,
 * addressing, typing of values by the schema, faults); the provider does WMI. A refusal is thrown as
 * {@link WmiError} with the HRESULT that Windows gives.
 */
export interface WmiProvider {
  readonly schema: Schema;
  identity(authenticated: boolean): Identity;
  get(caller: Caller, reference: CimReference): Promise<CimInstance>;
  put(caller: Caller, reference: CimReference, instance: CimInstance): Promise<CimInstance>;
  create(caller: Caller, instance: CimInstance): Promise<CimReference>;
  delete(caller: Caller, reference: CimReference): Promise<void>;
  /** A parsed WQL SELECT, `ASSOCIATORS OF` or `REFERENCES OF`; results have only the selected properties plus keys. */
  query(caller: Caller, namespace: string, query: WqlQuery): Promise<readonly Found[]>;
  /** Deep enumeration of a class. */
  enumerate(caller: Caller, namespace: string, className: string): Promise<readonly Found[]>;
  associators(caller: Caller, source: CimReference, filter: AssociatorFilter): Promise<readonly Found[]>;
  references(
    caller: Caller,
    source: CimReference,
    filter: { resultClass?: string; role?: string },
  ): Promise<readonly Found[]>;
  /**
   * Calls a method. Parameters arrive typed by the schema: embedded instances parsed from CIM-XML into
   * {@link CimInstance}s (their property types are as the text declared them: the provider checks them).
   */
  invoke(
    caller: Caller,
    reference: CimReference,
    method: string,
    parameters: Readonly<Record<string, CimValue>>,
  ): Promise<InvokeResult>;
}
