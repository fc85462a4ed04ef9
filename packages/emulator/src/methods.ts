import { WBEM, WmiError, decodeCimXml, isCimInstance, isCimReference } from '@nova-hyperv/wsman';
import type { CimInstance, CimReference, CimValue, InvokeResult, Schema } from '@nova-hyperv/wsman';
import { listOf } from './cim.js';
import { HV, HyperVError } from './errors.js';
import { typedInstance } from './store/typing.js';
import { messageOf } from './system-error.js';

/** One call of a method: on whom, with what. Readers of parameters refuse a wrong type with 32773. */
export class MethodCall {
  readonly target: CimInstance;
  readonly reference: CimReference;
  readonly #schema: Schema;
  readonly #parameters: ReadonlyMap<string, CimValue>;

  constructor(
    schema: Schema,
    target: CimInstance,
    reference: CimReference,
    parameters: Readonly<Record<string, CimValue>>,
  ) {
    this.#schema = schema;
    this.target = target;
    this.reference = reference;
    this.#parameters = new Map(
      Object.entries(parameters).map(([name, value]) => [name.toLowerCase(), value]),
    );
  }

  raw(name: string): CimValue {
    return this.#parameters.get(name.toLowerCase()) ?? null;
  }

  text(name: string): string {
    const value = this.raw(name);
    if (typeof value === 'string') return value;
    throw wrong(name, 'a text is needed');
  }

  /** A whole number; `fallback` when the parameter is null. */
  number(name: string, fallback?: number): number {
    const value = this.raw(name);
    if (typeof value === 'number' || typeof value === 'bigint') return Number(value);
    if (value === null && fallback !== undefined) return fallback;
    throw wrong(name, 'a number is needed');
  }

  numbers(name: string): readonly number[] {
    return listOf(this.raw(name)).map((value) => {
      if (typeof value === 'number' || typeof value === 'bigint') return Number(value);
      throw wrong(name, 'numbers are needed');
    });
  }

  reference1(name: string): CimReference {
    const value = this.raw(name);
    if (isCimReference(value)) return value;
    throw wrong(name, 'a reference is needed');
  }

  references(name: string): readonly CimReference[] {
    return listOf(this.raw(name)).map((value) => {
      if (isCimReference(value)) return value;
      throw wrong(name, 'references are needed');
    });
  }

  /** Parameters that the documentation declares as plain strings arrive as text. */
  #fromText(name: string, text: string): CimInstance {
    try {
      return decodeCimXml(text, { namespace: this.target.namespace, schema: this.#schema });
    } catch (cause) {
      throw new HyperVError(HV.invalidParameter, `${name}: ${messageOf(cause)}`, { cause, direct: true });
    }
  }

  /** An embedded instance of a class or one of its subclasses, typed by the schema. */
  instance(name: string, className: string): CimInstance {
    const [first, ...more] = this.instances(name, className);
    if (first === undefined || more.length > 0) throw wrong(name, `one ${className} is needed`);
    return first;
  }

  instances(name: string, className: string): readonly CimInstance[] {
    return listOf(this.raw(name)).map((value) => {
      const given = typeof value === 'string' ? this.#fromText(name, value) : value;
      if (!isCimInstance(given)) throw wrong(name, `the text of a ${className} is needed`);
      const typed = typedInstance(this.#schema, given);
      if (!this.#schema.isA(typed.namespace, typed.className, className)) {
        throw wrong(name, `a ${className} is needed, not a ${typed.className}`);
      }
      return typed;
    });
  }
}

function wrong(name: string, what: string): HyperVError {
  return new HyperVError(HV.invalidParameter, `${name}: ${what}.`, { direct: true });
}

export type MethodHandler = (call: MethodCall) => InvokeResult | Promise<InvokeResult>;

/** Methods that the host serves, by class and name; a class's methods serve its subclasses too. */
export class MethodTable {
  readonly #handlers = new Map<string, MethodHandler>();

  add(className: string, methods: Readonly<Record<string, MethodHandler>>): void {
    for (const [name, handler] of Object.entries(methods))
      this.#handlers.set(`${className}.${name}`.toLowerCase(), handler);
  }

  find(classNames: readonly string[], method: string): MethodHandler | undefined {
    for (const className of classNames) {
      const handler = this.#handlers.get(`${className}.${method}`.toLowerCase());
      if (handler !== undefined) return handler;
    }
    return undefined;
  }
}

export function completed(out: Readonly<Record<string, CimValue>> = {}): InvokeResult {
  return { returnValue: HV.completed, out };
}

export function returned(returnValue: number): InvokeResult {
  return { returnValue, out: {} };
}

export function jobStarted(job: CimReference, out: Readonly<Record<string, CimValue>> = {}): InvokeResult {
  return { returnValue: HV.jobStarted, out: { ...out, Job: job } };
}

/** A key of a reference by name in any case; 0x80041008 when it is missing. */
export function keyOf(reference: CimReference, name: string): string {
  const found = Object.entries(reference.keys).find(([key]) => key.toLowerCase() === name.toLowerCase());
  if (found !== undefined) return found[1];
  throw new WmiError(WBEM.invalidParameter, `The reference to a ${reference.className} has no key ${name}.`);
}
