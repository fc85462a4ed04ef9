import type { CimReference } from '../cim/value.js';
import { referenceTo } from '../codec/endpoint-reference.js';
import type { RequestHeader } from '../codec/envelope.js';
import { WSMAN_CODE } from '../codec/fault.js';
import { parseResourceUri } from '../codec/resource-uri.js';
import type { WmiResource } from '../codec/resource-uri.js';
import { WBEM, WmiError } from '../errors.js';
import type { ClassDef, Schema } from '../schema/schema.js';
import { FaultError } from './fault-error.js';

/** The class or wildcard that a request's resource URI names. */
export function resourceOf(header: RequestHeader, schema: Schema): WmiResource {
  const resource = header.resourceUri === undefined ? undefined : parseResourceUri(header.resourceUri);
  if (resource === undefined) {
    throw new FaultError('DestinationUnreachable', 'The resource URI is missing or names no WMI class', {
      code: WSMAN_CODE.invalidNamespace,
    });
  }
  if (!schema.hasNamespace(resource.namespace)) {
    throw new WmiError(WBEM.invalidNamespace, `Invalid namespace: ${resource.namespace}`);
  }
  return resource;
}

export function classOf(resource: WmiResource, schema: Schema): ClassDef {
  const def = schema.classOf(resource.namespace, resource.className);
  if (def === undefined) throw new WmiError(WBEM.invalidClass, `Invalid class: ${resource.className}`);
  return def;
}

/** Keys that a selector set names, checked against the class. */
export function targetOf(header: RequestHeader, def: ClassDef, schema: Schema): CimReference {
  const reference = referenceTo(def.namespace, def.name, header.selectorSet, schema);
  const known = new Set(def.keys);
  const strange = Object.keys(reference.keys).find((name) => !known.has(name));
  if (strange !== undefined) {
    throw new FaultError('InvalidSelectors', `${strange} is not a key of ${def.name}`, { code: 0x8033805b });
  }
  return reference;
}

/**
 * The instance that Get, Put or Delete addresses. A class with keys needs them all; services are found by any of
 * them.
 */
export function instanceOf(header: RequestHeader, def: ClassDef, schema: Schema): CimReference {
  const reference = targetOf(header, def, schema);
  const given = Object.keys(reference.keys).length;
  if (given === 0 && def.keys.length > 0) {
    throw new FaultError(
      'DestinationUnreachable',
      `The resource URI has no keys, but ${def.name} is not a singleton`,
      {
        code: WSMAN_CODE.uriWithoutKeys,
      },
    );
  }
  const isService = def.ancestors.includes('CIM_Service');
  if (given < def.keys.length && !isService) {
    const missing = def.keys.filter((key) => !(key in reference.keys));
    throw new FaultError('InvalidSelectors', `The selectors lack ${missing.join(', ')} of ${def.name}`, {
      code: 0x8033805a,
    });
  }
  return reference;
}

/** What a method is called on; a static method needs no instance. */
export function methodTarget(
  header: RequestHeader,
  def: ClassDef,
  isStatic: boolean,
  schema: Schema,
): CimReference {
  const reference = targetOf(header, def, schema);
  if (isStatic || def.keys.length === 0 || Object.keys(reference.keys).length > 0) return reference;
  // Seen on a host: the management service says which; the other services fail inside.
  if (def.name === 'Msvm_VirtualSystemManagementService') {
    throw new WmiError(WBEM.invalidMethodParameters, 'Invalid method parameters');
  }
  throw new FaultError('InternalError', `${def.name} was addressed without a selector`);
}
