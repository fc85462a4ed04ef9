import type { CimType } from '../cim/value.js';

/** One property of a WMI class, as documented. Source: `schema/*.json`. */
export interface PropertyDef {
  readonly name: string;
  readonly type: CimType;
  readonly array: boolean;
  readonly key: boolean;
  /** Class that a reference property points to, or that an embedded-instance string holds. */
  readonly refClass?: string;
  readonly embeddedInstance?: string;
  /** datetime properties that hold a span rather than a point. */
  readonly interval?: boolean;
  readonly access: 'r' | 'rw';
  readonly maxLen?: number;
  readonly minValue?: number;
  readonly maxValue?: number;
  readonly defaultText?: string;
  /** The class that declares it. */
  readonly declaredBy: string;
}

export interface ParameterDef {
  readonly name: string;
  readonly in: boolean;
  readonly out: boolean;
  readonly type: CimType;
  readonly array: boolean;
  readonly refClass?: string;
  readonly embeddedInstance?: string;
  readonly optional?: boolean;
}

export interface MethodDef {
  readonly name: string;
  readonly returns: CimType;
  readonly parameters: readonly ParameterDef[];
  readonly isStatic?: boolean;
  /** False for methods that Microsoft's pages name without a signature. */
  readonly documented: boolean;
}

export interface ClassDef {
  readonly namespace: string;
  readonly name: string;
  readonly superclass?: string;
  /** Nearest first. */
  readonly ancestors: readonly string[];
  readonly abstract: boolean;
  readonly association: boolean;
  /** Names of the key properties, in their documented spelling. */
  readonly keys: readonly string[];
  /** Own and inherited, by documented name. */
  readonly properties: ReadonlyMap<string, PropertyDef>;
  /** Own and inherited, by documented name. */
  readonly methods: ReadonlyMap<string, MethodDef>;
}

/**
 * The WMI classes of a host, from data. Lookups ignore case, as WMI does; the answers carry the documented
 * spelling.
 */
export interface Schema {
  /** The class, or undefined when the namespace or the class is unknown. */
  classOf(namespace: string, className: string): ClassDef | undefined;
  hasNamespace(namespace: string): boolean;
  namespaces(): readonly string[];
  classes(namespace: string): readonly ClassDef[];
  /** True when `className` is `ancestor` or derives from it. */
  isA(namespace: string, className: string, ancestor: string): boolean;
  /** Concrete and abstract classes that are `className` or derive from it. */
  withSubclasses(namespace: string, className: string): readonly ClassDef[];
  /** A property by name in any case. */
  property(def: ClassDef, name: string): PropertyDef | undefined;
  method(def: ClassDef, name: string): MethodDef | undefined;
}
