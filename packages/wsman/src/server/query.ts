import { parseBoolean, parseInteger, parseReal, isIntegerType } from '../cim/numbers.js';
import type { CimType } from '../cim/value.js';
import { WSMAN_CODE } from '../codec/fault.js';
import type { EnumerateRequest } from '../codec/enumeration.js';
import type { AssociationFilter } from '../codec/filter.js';
import type { WmiResource } from '../codec/resource-uri.js';
import type { Found } from '../client/client.js';
import { WBEM, WmiError, WsmanError } from '../errors.js';
import type { ClassDef, Schema } from '../schema/schema.js';
import type { WqlCondition, WqlLiteral, WqlQuery } from '../wql/ast.js';
import { parseWql } from '../wql/parser.js';
import { FaultError } from './fault-error.js';
import type { Caller, WmiProvider } from './provider.js';
import { classOf } from './target.js';

export interface Results {
  readonly found: readonly Found[];
  /** Whether the instances are whole: then properties that they lack are null. */
  readonly whole: boolean;
}

/** Runs what an Enumerate asks for. */
export async function runEnumerate(
  provider: WmiProvider,
  caller: Caller,
  resource: WmiResource,
  request: EnumerateRequest,
): Promise<Results> {
  const { schema } = provider;
  if (request.polymorphism !== undefined && request.polymorphism !== 'IncludeSubClassProperties') {
    throw new FaultError(
      'UnsupportedFeature',
      `The polymorphism mode ${request.polymorphism.slice(0, 80)} is not offered`,
      {
        code: WSMAN_CODE.polymorphismMode,
      },
    );
  }
  const { filter } = request;
  if (filter === undefined) {
    const def = classOf(resource, schema);
    return { found: await provider.enumerate(caller, def.namespace, def.name), whole: true };
  }
  if (filter.kind === 'selectors') {
    const def = classOf(resource, schema);
    const query: WqlQuery = {
      kind: 'select',
      properties: '*',
      className: def.name,
      where: conditionOf(def, filter.values, schema),
    };
    return { found: await provider.query(caller, def.namespace, query), whole: true };
  }
  if (resource.className !== '*') {
    throw new FaultError(
      'DestinationUnreachable',
      'With this filter the class in the resource URI must be *',
      {
        code: WSMAN_CODE.wqlNeedsWildcard,
      },
    );
  }
  if (filter.kind === 'wql') {
    const query = parseWql(filter.query);
    const found = await provider.query(caller, canonical(resource.namespace, schema), query);
    return { found, whole: query.kind !== 'select' || query.properties === '*' };
  }
  if (filter.kind === 'associators') {
    return { found: await provider.associators(caller, filter.source, filter.filter), whole: true };
  }
  const { includeResultProperties, ...narrowing } = filter.filter;
  const found = await provider.references(caller, filter.source, narrowing);
  return { found: project(found, includeResultProperties), whole: includeResultProperties === undefined };
}

function canonical(namespace: string, schema: Schema): string {
  return schema.namespaces().find((name) => name.toLowerCase() === namespace.toLowerCase()) ?? namespace;
}

function project(
  found: readonly Found[],
  names: AssociationFilter['includeResultProperties'],
): readonly Found[] {
  if (names === undefined) return found;
  const wanted = new Set(names.map((name) => name.toLowerCase()));
  return found.map(({ instance, reference }) => ({
    reference,
    instance: {
      ...instance,
      properties: Object.fromEntries(
        Object.entries(instance.properties).filter(([name]) => wanted.has(name.toLowerCase())),
      ),
    },
  }));
}

/** A selector filter as the WQL condition that it stands for. */
function conditionOf(def: ClassDef, values: Readonly<Record<string, string>>, schema: Schema): WqlCondition {
  const terms = Object.entries(values).map(([name, written]): WqlCondition => {
    const property = schema.property(def, name);
    if (property === undefined)
      throw new WmiError(WBEM.invalidQuery, `Invalid query: ${def.name} has no property ${name}`);
    return {
      kind: 'compare',
      property: property.name,
      operator: '=',
      value: literal(property.type, written),
    };
  });
  const [first, ...rest] = terms;
  if (first === undefined) throw new FaultError('CannotProcessFilter', 'The selector filter is empty');
  return rest.reduce((left, right): WqlCondition => ({ kind: 'and', left, right }), first);
}

function literal(type: CimType, written: string): WqlLiteral {
  try {
    if (type === 'boolean') return parseBoolean(written);
    if (type === 'real32' || type === 'real64') return parseReal(written);
    return isIntegerType(type) ? parseInteger(type, written) : written;
  } catch (error) {
    if (error instanceof WsmanError) throw new FaultError('CannotProcessFilter', error.message);
    throw error;
  }
}
