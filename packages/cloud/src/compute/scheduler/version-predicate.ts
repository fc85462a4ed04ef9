/** Versions as oslo.utils compares them (versionutils.VersionPredicate): by numbers, not by letters, so 6.3 < 10.0. */
export type Version = readonly number[];

type Operator = '<' | '<=' | '==' | '!=' | '>' | '>=';
export interface VersionTerm {
  readonly operator: Operator;
  readonly version: Version;
}

/** Longest predicate that is read, characters. */
const MAX_LENGTH = 255;

export class VersionPredicateError extends Error {
  readonly code = 'VERSION_PREDICATE_INVALID';
  constructor(text: string) {
    super(
      `'${text}' is not a version requirement: write comparisons, separated by commas, such as '>=6.3,<10.1'.`,
    );
    this.name = 'VersionPredicateError';
  }
}

export function parseVersion(text: string): Version | null {
  return /^\d{1,9}(\.\d{1,9}){0,7}$/.test(text) ? text.split('.').map(Number) : null;
}

const isOperator = (text: string | undefined): text is Operator =>
  text !== undefined && ['<', '<=', '==', '!=', '>', '>='].includes(text);

/** `>=6.3,<10.1`: every comparison has to hold. @throws VersionPredicateError */
export function parseVersionPredicate(text: string): readonly VersionTerm[] {
  if (text.length > MAX_LENGTH) throw new VersionPredicateError(`${text.slice(0, 40)}…`);
  return text.split(',').map((part) => {
    const match = /^\s*(<=|>=|<|>|!=|==)\s*(\S+)\s*$/.exec(part);
    const [operator, version] = [match?.[1], parseVersion(match?.[2] ?? '')];
    if (!isOperator(operator) || version === null) throw new VersionPredicateError(text);
    return { operator, version };
  });
}

/** Negative, 0 or positive; missing parts are zeros: 10 = 10.0. */
export function compareVersions(a: Version, b: Version): number {
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

const HOLDS: Readonly<Record<Operator, (difference: number) => boolean>> = {
  '<': (difference) => difference < 0,
  '<=': (difference) => difference <= 0,
  '==': (difference) => difference === 0,
  '!=': (difference) => difference !== 0,
  '>': (difference) => difference > 0,
  '>=': (difference) => difference >= 0,
};

export const satisfies = (version: Version, predicate: readonly VersionTerm[]): boolean =>
  predicate.every((term) => HOLDS[term.operator](compareVersions(version, term.version)));

/** Nova's numbers of hypervisor versions, three digits a part: 6003 is 6.3, 10000 is 10.0, 2008001 is 2.8.1. */
export function hypervisorVersion(number: number): Version {
  const parts: number[] = [];
  for (let rest = Math.trunc(number); rest > 0; rest = Math.trunc(rest / 1000)) parts.unshift(rest % 1000);
  return parts;
}
