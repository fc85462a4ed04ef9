import { decodeCimXml } from '../cim/cim-xml-decode.js';
import type { CimInstance, CimValue } from '../cim/value.js';
import { WsmanError } from '../errors.js';
import type { ClassDef, Schema } from '../schema/schema.js';
import { attribute } from '../xml/reader.js';
import type { XmlElement } from '../xml/reader.js';
import { checkName, element } from '../xml/writer.js';
import type { Xml } from '../xml/writer.js';
import { decodeMembers, encodeMember, MemberError } from './members.js';
import type { MemberContext } from './members.js';
import { NS } from './namespaces.js';
import { parseResourceUri, resourceUri } from './resource-uri.js';

export interface EncodeInstanceOptions {
  /** Also write the scalar properties that the instance lacks, as `xsi:nil`: what Windows does with whole objects. */
  readonly whole?: boolean;
  readonly prefix?: 'p' | 'q';
}

/**
 * Writes an instance as Windows does: the root named after the class in the class's namespace with
 * `xsi:type="p:<Class>_Type"`, properties in alphabetical order.
 *
 * @throws MemberError when the schema has no such property
 */
export function encodeInstance(
  instance: CimInstance,
  schema: Schema,
  options: EncodeInstanceOptions = {},
): Xml {
  const def = schema.classOf(instance.namespace, instance.className);
  if (def === undefined) {
    throw new WsmanError(
      'WSMAN_UNKNOWN_CLASS',
      `The schema has no class ${instance.className} in ${instance.namespace}`,
    );
  }
  const context: MemberContext = { schema, namespace: def.namespace, strict: true };
  const values = Object.entries(instance.properties).map(([name, value]) =>
    namedValue(def, name, value, schema),
  );
  if (options.whole === true) {
    const present = new Set(values.map(({ property }) => property.name));
    for (const property of def.properties.values()) {
      if (!present.has(property.name)) values.push({ property, value: null });
    }
  }
  values.sort((a, b) => alphabetical(a.property.name, b.property.name));
  const outer = options.prefix ?? 'p';
  const content = values.map(({ property, value }) => encodeMember(property, value, context)).join('');
  const uri = resourceUri(def.namespace, checkName(def.name));
  // The members are written with `p`, so `p` is declared even where the root itself takes another prefix.
  return element(
    `${outer}:${def.name}`,
    {
      'xmlns:p': uri,
      ...(outer === 'p' ? {} : { [`xmlns:${outer}`]: uri }),
      'xsi:type': `${outer}:${def.name}_Type`,
    },
    content,
  );
}

function namedValue(def: ClassDef, name: string, value: CimValue, schema: Schema) {
  const property = schema.property(def, name);
  if (property === undefined) {
    throw new MemberError(name, 'unknown', `${def.name} has no such property; check its spelling`);
  }
  return { property, value };
}

function alphabetical(a: string, b: string): number {
  const left = a.toLowerCase();
  const right = b.toLowerCase();
  return left < right ? -1 : Number(left > right);
}

/** Reads an instance from the element that stands for it. The class is the element's own, not the one asked for. */
export function decodeInstance(item: XmlElement, context: MemberContext): CimInstance {
  const resource = parseResourceUri(item.uri);
  const namespace = resource?.namespace ?? context.namespace;
  const def = context.schema.classOf(namespace, item.local);
  return membersOf(item, def, namespace, item.local, context);
}

function membersOf(
  item: XmlElement,
  def: ClassDef | undefined,
  namespace: string,
  className: string,
  context: MemberContext,
): CimInstance {
  const find = (name: string) =>
    def === undefined
      ? undefined
      : context.strict
        ? def.properties.get(name)
        : context.schema.property(def, name);
  return {
    kind: 'instance',
    namespace: def?.namespace ?? namespace,
    className: def?.name ?? className,
    properties: decodeMembers(item, find, { ...context, namespace: def?.namespace ?? namespace }),
  };
}

/**
 * An embedded object inside a parameter or property: as a child element of its class, with its properties directly
 * in the element and its class in `xsi:type`, or as CIM-XML text.
 */
export function decodeEmbedded(
  item: XmlElement,
  expected: string | undefined,
  context: MemberContext,
): CimInstance {
  if (item.children.length === 0 && item.text.trimStart().startsWith('<')) {
    return decodeCimXml(item.text, { namespace: context.namespace, schema: context.schema });
  }
  const [only] = item.children;
  if (only !== undefined && item.children.length === 1) {
    const typed = attribute(only, NS.xsi, 'type') !== undefined;
    const ofClass = parseResourceUri(only.uri)?.className.toLowerCase() === only.local.toLowerCase();
    if (ofClass || (typed && only.children.length > 0)) return decodeInstance(only, context);
  }
  const type = attribute(item, NS.xsi, 'type')
    ?.replace(/^.*:/su, '')
    .replace(/_Type$/u, '');
  const resource = only === undefined ? undefined : parseResourceUri(only.uri);
  const className = type ?? resource?.className ?? expected ?? item.local;
  const namespace = resource?.namespace ?? context.namespace;
  return membersOf(item, context.schema.classOf(namespace, className), namespace, className, context);
}
