import { ApiError } from '../../kernel/errors.js';
import { BAD_QUERY } from '../deps.js';

/** Of each of these sets of traits a provider must have one; of `forbidden` none. */
export interface TraitClause {
  readonly anyOf: readonly (readonly string[])[];
  readonly forbidden: readonly string[];
}

/** A provider must be in one of these aggregates (`member_of=in:a,b`), or in none of them (`!`). */
export interface AggregateClause {
  readonly aggregates: readonly string[];
  readonly negated: boolean;
}

const bad = (message: string): ApiError => new ApiError(400, message, { type: BAD_QUERY });

/** `VCPU:2,MEMORY_MB:1024`. @throws ApiError 400 */
export function parseResources(text: string): Readonly<Record<string, number>> {
  const resources: Record<string, number> = {};
  for (const part of text.split(',')) {
    const match = /^([A-Z0-9_]{1,255}):(\d{1,10})$/.exec(part.trim());
    const [, name, amount] = match ?? [];
    if (name === undefined || Number(amount) < 1) {
      throw bad(
        `Badly formed resources parameter. Expected resources query string parameter in form: ?resources=VCPU:2,MEMORY_MB:1024. Got: ${text}.`,
      );
    }
    resources[name] = Number(amount);
  }
  return resources;
}

/** `A,B,!C` (`!` since 1.22), or `in:A,B` (since 1.39). @throws ApiError 400 */
export function parseRequired(text: string, minor: number): TraitClause {
  if (text.startsWith('in:')) {
    if (minor < 39) throw bad("The 'in:' prefix of the query parameter required needs microversion 1.39.");
    const names = traitNames(text.slice(3), text);
    if (names.some((name) => name.startsWith('!'))) throw bad(`Invalid query parameter required: ${text}`);
    return { anyOf: [names], forbidden: [] };
  }
  const names = traitNames(text, text);
  const forbidden = names.filter((name) => name.startsWith('!')).map((name) => name.slice(1));
  if (forbidden.length > 0 && minor < 22) throw bad('Forbidden traits need microversion 1.22.');
  return { anyOf: names.filter((name) => !name.startsWith('!')).map((name) => [name]), forbidden };
}

function traitNames(text: string, whole: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.some((name) => !/^!?[A-Z0-9_]{1,255}$/.test(name)))
    throw bad(
      `Invalid query string parameters: Expected 'required' parameter value of the form: HW_CPU_X86_VMX,!CUSTOM_MAGIC. Got: ${whole}`,
    );
  return names;
}

/** `UUID`, `in:UUID,UUID`, each with `!` before it. @throws ApiError 400 */
export function parseMemberOf(text: string): AggregateClause {
  const negated = text.startsWith('!');
  const rest = negated ? text.slice(1) : text;
  const aggregates = (rest.startsWith('in:') ? rest.slice(3) : rest).split(',');
  if (aggregates.some((aggregate) => !/^[0-9a-fA-F-]{36}$/.test(aggregate))) {
    throw bad(
      `Invalid query string parameters: Expected 'member_of' parameter to contain valid UUID(s). Got: ${text}`,
    );
  }
  return { aggregates, negated };
}
