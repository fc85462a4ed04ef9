import { isRecord } from '../json.js';

/** One place where two specs part. `undefined` = it is not there. */
export interface SpecDifference {
  /** `memory.startupMb`, `drives[1].path` */
  readonly field: string;
  readonly planned: unknown;
  readonly observed: unknown;
}

/** Names of files and objects that Windows does not tell apart by case. */
const CASE_BLIND = /(?:^directory|\.path|\.switchId|^instanceUuid)$/;

/** Where two trees of plain data part, in the order of the first. */
export function diffSpecs(planned: unknown, observed: unknown, field = ''): readonly SpecDifference[] {
  if (Array.isArray(planned) && Array.isArray(observed)) {
    const length = Math.max(planned.length, observed.length);
    return Array.from({ length }, (_, index) =>
      diffSpecs(planned[index], observed[index], `${field}[${index}]`),
    ).flat();
  }
  if (isRecord(planned) && isRecord(observed)) {
    const keys = new Set([...Object.keys(planned), ...Object.keys(observed)]);
    return [...keys].flatMap((key) =>
      diffSpecs(planned[key], observed[key], field === '' ? key : `${field}.${key}`),
    );
  }
  return isSame(planned, observed, field) ? [] : [{ field, planned, observed }];
}

function isSame(planned: unknown, observed: unknown, field: string): boolean {
  if (typeof planned === 'string' && typeof observed === 'string' && CASE_BLIND.test(field))
    return planned.toLowerCase() === observed.toLowerCase();
  return planned === observed;
}

function shown(of: unknown): string {
  return of === undefined ? 'not there' : JSON.stringify(of);
}

/** A line for each difference. */
export function describeDifferences(differences: readonly SpecDifference[]): string {
  return differences
    .map(
      ({ field, planned, observed }) =>
        `${field}\n  planned   ${shown(planned)}\n  observed  ${shown(observed)}`,
    )
    .join('\n');
}
