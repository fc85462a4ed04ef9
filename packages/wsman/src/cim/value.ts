/**
 * How CIM values look in TypeScript. One shape on both sides of the wire, so that the client half, the
 * server half and everything above them speak of a property in the same way.
 *
 * | CIM                          | here                                                        |
 * |------------------------------|-------------------------------------------------------------|
 * | boolean                      | boolean                                                     |
 * | uint8 … uint32, sint8 … sint32, real32, real64 | number                                    |
 * | uint64, sint64               | bigint                                                      |
 * | string, char16               | string                                                      |
 * | datetime (a point in time)   | {@link CimDateTime}                                         |
 * | datetime (an interval)       | {@link CimInterval}                                         |
 * | reference                    | {@link CimReference}                                        |
 * | embedded object              | {@link CimInstance}                                         |
 * | array                        | readonly array of the above                                 |
 * | null                         | null                                                        |
 */
export type CimScalar =
  boolean | number | bigint | string | CimDateTime | CimInterval | CimReference | CimInstance;

export type CimValue = CimScalar | readonly CimScalar[] | null;

/** A point in time. `iso` is ISO 8601 in UTC with up to microseconds, e.g. `2026-10-08T15:15:36.68424Z`. */
export interface CimDateTime {
  readonly kind: 'datetime';
  readonly iso: string;
}

/** A span of time, in microseconds. */
export interface CimInterval {
  readonly kind: 'interval';
  readonly microseconds: bigint;
}

/** The address of one instance: what WS-Management calls an endpoint reference and WMI an object path. */
export interface CimReference {
  readonly kind: 'reference';
  /** With forward slashes and without a leading one: `root/virtualization/v2`. */
  readonly namespace: string;
  readonly className: string;
  /** Key properties by their documented names. Values as text, as selectors carry them. */
  readonly keys: Readonly<Record<string, string>>;
}

/** An instance of a class: whole, or the properties that a query asked for. */
export interface CimInstance {
  readonly kind: 'instance';
  readonly namespace: string;
  /** The actual class, which may be a subclass of the one that was asked for. */
  readonly className: string;
  readonly properties: Readonly<Record<string, CimValue>>;
}

/** CIM's types as the schema data and CIM-XML name them. */
export type CimType =
  | 'boolean'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'sint8'
  | 'sint16'
  | 'sint32'
  | 'sint64'
  | 'real32'
  | 'real64'
  | 'char16'
  | 'string'
  | 'datetime'
  | 'reference'
  | 'object';
