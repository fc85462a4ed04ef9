import type { ClassDef, PropertyDef, Schema } from '../schema/schema.js';
import { checkName, element, text } from '../xml/writer.js';
import type { Xml } from '../xml/writer.js';
import { CimXmlError } from './cim-xml-error.js';
import { isCimArray } from './guards.js';
import { isIntegerType } from './numbers.js';
import { describe, scalarToText } from './scalar.js';
import type { CimInstance, CimReference, CimScalar, CimValue } from './value.js';

/**
 * Writes an instance as a CIM-XML `INSTANCE` element (DSP0201 with DTD 2.0; WMI's text format 1), the form in
 * which Hyper-V's services take setting data. Property types come from the schema.
 *
 * @throws CimXmlError `WSMAN_CIM_XML` when the schema does not know the class or a property
 * @throws CimValueError `WSMAN_VALUE` when a value is not of its property's type
 */
export function encodeCimXml(instance: CimInstance, schema: Schema): string {
  const def = schema.classOf(instance.namespace, instance.className);
  if (def === undefined) {
    throw new CimXmlError(`The schema has no class ${instance.className} in ${instance.namespace}`);
  }
  const properties = Object.entries(instance.properties).map(([name, value]) =>
    property(def, name, value, schema),
  );
  return element('INSTANCE', { CLASSNAME: checkName(def.name) }, properties.join(''));
}

function property(def: ClassDef, name: string, value: CimValue, schema: Schema): Xml {
  const known = schema.property(def, name);
  if (known === undefined) throw new CimXmlError(`${def.name} has no property ${name}; check its spelling`);
  try {
    return known.array ? arrayProperty(known, value, schema) : scalarProperty(known, value, schema);
  } catch (error) {
    if (error instanceof Error) error.message = `${def.name}.${known.name}: ${error.message}`;
    throw error;
  }
}

function scalarProperty(def: PropertyDef, value: CimValue, schema: Schema): Xml {
  if (isCimArray(value)) throw new CimXmlError('one value is expected, not an array');
  const scalar = value;
  if (def.type === 'reference') {
    const content = scalar === null ? '' : valueReference(scalar, schema);
    return element('PROPERTY.REFERENCE', { NAME: def.name, REFERENCECLASS: def.refClass }, content);
  }
  if (def.type === 'object') {
    const content = scalar === null ? '' : valueObject(scalar, schema);
    return element('PROPERTY.OBJECT', { NAME: def.name }, content);
  }
  return element(
    'PROPERTY',
    { NAME: def.name, TYPE: def.type },
    scalar === null ? '' : simpleValue(def, scalar, schema),
  );
}

function arrayProperty(def: PropertyDef, value: CimValue, schema: Schema): Xml {
  if (value !== null && !isCimArray(value)) throw new CimXmlError('an array is expected, not one value');
  const values = value;
  if (def.type === 'object') {
    const items = values?.map((item) => valueObject(item, schema)).join('');
    return element(
      'PROPERTY.OBJECTARRAY',
      { NAME: def.name },
      items === undefined ? '' : element('VALUE.OBJECTARRAY', {}, items),
    );
  }
  if (def.type === 'reference') {
    const items = values?.map((item) => valueReference(item, schema)).join('');
    return element(
      'PROPERTY.REFARRAY',
      { NAME: def.name, REFERENCECLASS: def.refClass },
      items === undefined ? '' : element('VALUE.REFARRAY', {}, items),
    );
  }
  const items = values?.map((item) => simpleValue(def, item, schema)).join('');
  return element(
    'PROPERTY.ARRAY',
    { NAME: def.name, TYPE: def.type },
    items === undefined ? '' : element('VALUE.ARRAY', {}, items),
  );
}

/** The start and end tag are written even around nothing: an empty string is not null. */
function simpleValue(def: PropertyDef, value: CimScalar, schema: Schema): Xml {
  const isInstance = typeof value === 'object' && value.kind === 'instance';
  const plain =
    isInstance && def.type === 'string' && def.embeddedInstance !== undefined
      ? encodeCimXml(value, schema)
      : scalarToText(def.type, value, 'cim');
  return `<VALUE>${text(plain)}</VALUE>`;
}

function valueObject(value: CimScalar, schema: Schema): Xml {
  if (typeof value !== 'object' || value.kind !== 'instance') {
    throw new CimXmlError(`${describe(value)} is given where an instance is expected`);
  }
  return element('VALUE.OBJECT', {}, encodeCimXml(value, schema));
}

function valueReference(value: CimScalar, schema: Schema): Xml {
  if (typeof value !== 'object' || value.kind !== 'reference') {
    throw new CimXmlError(`${describe(value)} is given where a reference is expected`);
  }
  return element('VALUE.REFERENCE', {}, instancePath(value, schema));
}

function instancePath(reference: CimReference, schema: Schema): Xml {
  const def = schema.classOf(reference.namespace, reference.className);
  const bindings = Object.entries(reference.keys).map(([name, value]) => {
    const type = def === undefined ? undefined : schema.property(def, name)?.type;
    const valueType =
      type !== undefined && isIntegerType(type) ? 'numeric' : type === 'boolean' ? 'boolean' : 'string';
    return element(
      'KEYBINDING',
      { NAME: name },
      `<KEYVALUE VALUETYPE="${valueType}">${text(value)}</KEYVALUE>`,
    );
  });
  const namespaces = reference.namespace.split('/').map((name) => element('NAMESPACE', { NAME: name }));
  return element(
    'LOCALINSTANCEPATH',
    {},
    element('LOCALNAMESPACEPATH', {}, namespaces.join('')) +
      element('INSTANCENAME', { CLASSNAME: checkName(reference.className) }, bindings.join('')),
  );
}
