import { formatObjectPath, parseObjectPath } from '../cim/object-path.js';
import type { CimReference } from '../cim/value.js';
import { WsmanError } from '../errors.js';
import type { Schema } from '../schema/schema.js';
import { attribute, child } from '../xml/reader.js';
import type { XmlElement } from '../xml/reader.js';
import { checkName, element, text } from '../xml/writer.js';
import type { Xml } from '../xml/writer.js';
import { ANONYMOUS, NS } from './namespaces.js';
import { parseResourceUri, resourceUri } from './resource-uri.js';

/** An endpoint reference that addresses no WMI object. */
export class EndpointReferenceError extends WsmanError {
  constructor(message: string) {
    super('WSMAN_ENDPOINT_REFERENCE', message);
  }
}

const MAX_SELECTORS = 32;
const MAX_NESTING = 8;

/** `w:SelectorSet`; a key that is itself a reference becomes an endpoint reference (DSP0226, 5.4.2.2). */
export function encodeSelectorSet(reference: CimReference, schema?: Schema): Xml {
  const def = schema?.classOf(reference.namespace, reference.className);
  const selectors = Object.entries(reference.keys).map(([name, value]) => {
    const property = def === undefined ? undefined : schema?.property(def, name);
    const content =
      property?.type === 'reference'
        ? encodeEndpointReference(parseObjectPath(value, reference.namespace), schema)
        : text(value);
    return element('w:Selector', { Name: checkName(name) }, content);
  });
  return selectors.length === 0 ? '' : element('w:SelectorSet', {}, selectors.join(''));
}

/** The children of an endpoint reference, without the element around them: the form inside parameters. */
export function encodeReferenceContent(reference: CimReference, schema?: Schema): Xml {
  const uri = resourceUri(reference.namespace, reference.className);
  return (
    element('a:Address', {}, text(ANONYMOUS)) +
    element(
      'a:ReferenceParameters',
      {},
      element('w:ResourceURI', {}, text(uri)) + encodeSelectorSet(reference, schema),
    )
  );
}

export function encodeEndpointReference(reference: CimReference, schema?: Schema): Xml {
  return element('a:EndpointReference', {}, encodeReferenceContent(reference, schema));
}

/** Whether an element holds an endpoint reference, directly or in an `a:EndpointReference`. */
export function holdsReference(value: XmlElement): boolean {
  return referenceParameters(value) !== undefined;
}

function referenceParameters(value: XmlElement): XmlElement | undefined {
  const direct = child(value, NS.addressing, 'ReferenceParameters');
  if (direct !== undefined) return direct;
  const wrapped = child(value, NS.addressing, 'EndpointReference');
  return wrapped === undefined ? undefined : child(wrapped, NS.addressing, 'ReferenceParameters');
}

/**
 * Reads a reference from an `a:EndpointReference`, or from an element that holds one or its children: Windows
 * writes the children directly into properties. Throws {@link EndpointReferenceError}.
 */
export function decodeReference(value: XmlElement, schema?: Schema, depth = 0): CimReference {
  if (depth > MAX_NESTING) throw new EndpointReferenceError('Endpoint references are nested too deeply');
  const parameters = referenceParameters(value);
  if (parameters === undefined) {
    throw new EndpointReferenceError(
      `${value.local} holds no endpoint reference (a:ReferenceParameters is missing)`,
    );
  }
  const uri = child(parameters, NS.wsman, 'ResourceURI')?.text ?? '';
  const resource = parseResourceUri(uri);
  if (resource === undefined || resource.className === '*') {
    throw new EndpointReferenceError(`"${uri.slice(0, 200)}" is not the resource URI of a WMI class`);
  }
  const set = child(parameters, NS.wsman, 'SelectorSet');
  return referenceTo(resource.namespace, resource.className, set, schema, depth);
}

/** A reference from a class and its `w:SelectorSet`, in the documented spelling where the schema knows it. */
export function referenceTo(
  namespace: string,
  className: string,
  selectorSet: XmlElement | undefined,
  schema?: Schema,
  depth = 0,
): CimReference {
  const def = schema?.classOf(namespace, className);
  const keys: Record<string, string> = {};
  const selectors = selectorSet?.children ?? [];
  if (selectors.length > MAX_SELECTORS)
    throw new EndpointReferenceError(`More than ${MAX_SELECTORS} selectors`);
  for (const selector of selectors) {
    const written = attribute(selector, '', 'Name');
    if (written === undefined || written === '') throw new EndpointReferenceError('A selector has no name');
    // Belongs to the DMTF form of addressing; with Microsoft's URIs it may only repeat the namespace.
    if (written.toLowerCase() === '__cimnamespace') {
      if (selector.text.trim().toLowerCase() === namespace.toLowerCase()) continue;
      throw new EndpointReferenceError('__cimnamespace names another namespace than the resource URI');
    }
    const name = (def === undefined ? undefined : schema?.property(def, written)?.name) ?? written;
    if (name in keys) throw new EndpointReferenceError(`The selector ${name} is given twice`);
    keys[name] = holdsReference(selector)
      ? formatObjectPath(decodeReference(selector, schema, depth + 1), { host: '.' })
      : selector.text;
  }
  return {
    kind: 'reference',
    namespace: def?.namespace ?? namespace,
    className: def?.name ?? className,
    keys,
  };
}
