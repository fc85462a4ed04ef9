import { integerRange, isCimArray } from '@nova-hyperv/wsman';
import type { CimInstance, CimScalar, CimValue, ClassDef, PropertyDef, Schema } from '@nova-hyperv/wsman';
import { HV, HyperVError } from '../errors.js';

/** Arrays of which the rules tell, by a job, when one value stands in their place. */
const CHECKED_BY_RULES: ReadonlySet<string> = new Set(['HostResource']);

/**
 * The instance with documented property names and values of the documented types. 64-bit integers become
 * bigints. Refuses (32776) an unknown class, an unknown property, a value of another type or out of
 * the type's range.
 */
export function typedInstance(schema: Schema, instance: CimInstance): CimInstance {
  const def = schema.classOf(instance.namespace, instance.className);
  if (def === undefined) {
    throw new HyperVError(
      HV.incorrectType,
      `The class ${instance.className} is unknown in ${instance.namespace}.`,
    );
  }
  const properties: Record<string, CimValue> = {};
  for (const [name, value] of Object.entries(instance.properties)) {
    // System properties (__CLASS, __PATH …) may travel with an instance and say nothing about it.
    if (name.startsWith('__')) continue;
    const property = schema.property(def, name);
    if (property === undefined) {
      throw new HyperVError(HV.incorrectType, `The class ${def.name} has no property ${name}.`);
    }
    properties[property.name] = typedValue(def, property, value);
  }
  return { kind: 'instance', namespace: def.namespace, className: def.name, properties };
}

function typedValue(def: ClassDef, property: PropertyDef, value: CimValue): CimValue {
  if (value === null) return null;
  if (property.array) {
    if (!isCimArray(value) && CHECKED_BY_RULES.has(property.name)) return typedScalar(def, property, value);
    if (!isCimArray(value)) throw mismatch(def, property, 'an array is needed');
    return value.map((item) => typedScalar(def, property, item));
  }
  if (isCimArray(value)) throw mismatch(def, property, 'one value is needed, not an array');
  return typedScalar(def, property, value);
}

function typedScalar(def: ClassDef, property: PropertyDef, value: CimScalar): CimScalar {
  const range = integerRange(property.type);
  if (range !== undefined) return typedInteger(def, property, value, range);
  switch (property.type) {
    case 'boolean':
      if (typeof value === 'boolean') return value;
      break;
    case 'string':
    case 'char16':
      if (typeof value === 'string') return value;
      break;
    case 'real32':
    case 'real64':
      if (typeof value === 'number') return value;
      break;
    case 'datetime':
      if (typeof value === 'object' && (value.kind === 'datetime' || value.kind === 'interval')) return value;
      break;
    case 'reference':
      if (typeof value === 'object' && value.kind === 'reference') return value;
      break;
    case 'object':
      if (typeof value === 'object' && value.kind === 'instance') return value;
      break;
    default:
      break;
  }
  throw mismatch(def, property, `${property.type} is needed`);
}

function typedInteger(
  def: ClassDef,
  property: PropertyDef,
  value: CimScalar,
  range: readonly [bigint, bigint],
): number | bigint {
  if (typeof value !== 'bigint' && !(typeof value === 'number' && Number.isInteger(value))) {
    throw mismatch(def, property, `${property.type} is needed`);
  }
  const exact = BigInt(value);
  if (exact < range[0] || exact > range[1])
    throw mismatch(def, property, `${exact} does not fit ${property.type}`);
  return property.type === 'uint64' || property.type === 'sint64' ? exact : Number(exact);
}

function mismatch(def: ClassDef, property: PropertyDef, what: string): HyperVError {
  return new HyperVError(HV.incorrectType, `${def.name}.${property.name}: ${what}.`);
}
