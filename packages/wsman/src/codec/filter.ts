import type { AssociatorFilter } from '../client/client.js';
import type { CimReference } from '../cim/value.js';
import { WsmanError } from '../errors.js';
import type { Schema } from '../schema/schema.js';
import { attribute, child } from '../xml/reader.js';
import type { XmlElement } from '../xml/reader.js';
import { element, text } from '../xml/writer.js';
import type { Xml } from '../xml/writer.js';
import { decodeReference, encodeReferenceContent } from './endpoint-reference.js';
import { DIALECTS, NS } from './namespaces.js';

export interface AssociationFilter {
  readonly resultClass?: string;
  readonly role?: string;
  readonly includeResultProperties?: readonly string[];
}

/** What an enumeration is narrowed by: WinRM's filter dialects. */
export type Filter =
  | { readonly kind: 'wql'; readonly query: string }
  | { readonly kind: 'selectors'; readonly values: Readonly<Record<string, string>> }
  | { readonly kind: 'associators'; readonly source: CimReference; readonly filter: AssociatorFilter }
  | { readonly kind: 'references'; readonly source: CimReference; readonly filter: AssociationFilter };

export class FilterError extends WsmanError {
  readonly problem: 'dialect' | 'content';
  constructor(problem: 'dialect' | 'content', message: string) {
    super('WSMAN_FILTER', message);
    this.problem = problem;
  }
}

const MAX_SELECTORS = 64;

export function encodeFilter(filter: Filter, schema?: Schema): Xml {
  if (filter.kind === 'wql') return element('w:Filter', { Dialect: DIALECTS.wql }, text(filter.query));
  if (filter.kind === 'selectors') {
    const selectors = Object.entries(filter.values).map(([name, value]) =>
      element('w:Selector', { Name: name }, text(value)),
    );
    return element(
      'w:Filter',
      { Dialect: DIALECTS.selector },
      element('w:SelectorSet', {}, selectors.join('')),
    );
  }
  return element('w:Filter', { Dialect: DIALECTS.association }, encodeAssociation(filter, schema));
}

function optional(name: string, value: string | undefined): Xml {
  return value === undefined ? '' : element(name, {}, text(value));
}

/** The order of the children is the schema's (DSP0227, 8.2). */
function encodeAssociation(filter: Extract<Filter, { source: CimReference }>, schema?: Schema): Xml {
  const object = element('b:Object', {}, encodeReferenceContent(filter.source, schema));
  if (filter.kind === 'associators') {
    return element(
      'b:AssociatedInstances',
      {},
      object +
        optional('b:AssociationClassName', filter.filter.associationClass) +
        optional('b:Role', filter.filter.role) +
        optional('b:ResultClassName', filter.filter.resultClass) +
        optional('b:ResultRole', filter.filter.resultRole),
    );
  }
  const included = filter.filter.includeResultProperties ?? [];
  return element(
    'b:AssociationInstances',
    {},
    object +
      optional('b:ResultClassName', filter.filter.resultClass) +
      optional('b:Role', filter.filter.role) +
      included.map((name) => element('b:IncludeResultProperty', {}, text(name))).join(''),
  );
}

/** Throws {@link FilterError}; `item` is the w:Filter (or n:Filter) element. */
export function decodeFilter(item: XmlElement, schema?: Schema): Filter {
  const dialect = (attribute(item, '', 'Dialect') ?? '').trim();
  switch (dialect.toLowerCase()) {
    case DIALECTS.wql.toLowerCase():
      if (item.text.trim() === '') throw new FilterError('content', 'The WQL filter is empty');
      return { kind: 'wql', query: item.text };
    case DIALECTS.selector.toLowerCase():
      return { kind: 'selectors', values: selectorValues(item) };
    case DIALECTS.association.toLowerCase():
      return decodeAssociation(item, schema);
    default:
      throw new FilterError('dialect', `The filter dialect "${dialect.slice(0, 200)}" is not offered`);
  }
}

function selectorValues(item: XmlElement): Record<string, string> {
  const selectors = child(item, NS.wsman, 'SelectorSet')?.children ?? [];
  if (selectors.length === 0 || selectors.length > MAX_SELECTORS) {
    throw new FilterError('content', `A selector filter holds 1 to ${MAX_SELECTORS} selectors`);
  }
  const values: Record<string, string> = {};
  for (const selector of selectors) {
    const name = attribute(selector, '', 'Name');
    if (name === undefined || name === '') throw new FilterError('content', 'A selector has no name');
    values[name] = selector.text;
  }
  return values;
}

function decodeAssociation(item: XmlElement, schema?: Schema): Filter {
  const kind = item.children[0];
  if (kind?.uri !== NS.binding) throw new FilterError('content', 'The association filter is empty');
  const object = child(kind, NS.binding, 'Object');
  if (object === undefined) throw new FilterError('content', 'The association filter names no object');
  const source = decodeReference(object, schema);
  const value = (name: string): string | undefined => child(kind, NS.binding, name)?.text.trim();
  const role = value('Role');
  const resultClass = value('ResultClassName');
  const narrowed = {
    ...(role === undefined ? {} : { role }),
    ...(resultClass === undefined ? {} : { resultClass }),
  };
  if (kind.local === 'AssociatedInstances') {
    const associationClass = value('AssociationClassName');
    const resultRole = value('ResultRole');
    return {
      kind: 'associators',
      source,
      filter: {
        ...narrowed,
        ...(associationClass === undefined ? {} : { associationClass }),
        ...(resultRole === undefined ? {} : { resultRole }),
      },
    };
  }
  if (kind.local !== 'AssociationInstances')
    throw new FilterError('content', `${kind.local} is no association filter`);
  const included = kind.children
    .filter((entry) => entry.local === 'IncludeResultProperty')
    .map((entry) => entry.text.trim());
  return {
    kind: 'references',
    source,
    filter: { ...narrowed, ...(included.length === 0 ? {} : { includeResultProperties: included }) },
  };
}
