import type { Reader } from '../deps.js';
import { STANDARD_TRAITS } from './standard-traits.js';

const STANDARD: ReadonlySet<string> = new Set(STANDARD_TRAITS);
const CUSTOM = /^CUSTOM_[A-Z0-9_]{1,248}$/;

/** A name that a deployment may give to a trait of its own. */
export const isCustomTraitName = (name: string): boolean => CUSTOM.test(name);
export const isStandardTrait = (name: string): boolean => STANDARD.has(name);

/** Those of `names` that are neither standard traits nor made by this deployment. */
export async function unknownTraits(db: Reader, names: readonly string[]): Promise<readonly string[]> {
  const others = names.filter((name) => !STANDARD.has(name));
  if (others.length === 0) return [];
  const rows = await db
    .selectFrom('placement_custom_trait')
    .select('name')
    .where('name', 'in', others)
    .execute();
  const known = new Set(rows.map((row) => row.name));
  return others.filter((name) => !known.has(name));
}
