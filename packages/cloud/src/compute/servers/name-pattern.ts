import { createContext, Script } from 'node:vm';
import { badRequest } from '../../kernel/errors.js';
import { members } from '../api/call.js';

/** Longest pattern that is taken, characters. */
const MAX_PATTERN = 255;
/** A user's pattern may need exponential time; it gets this much for all names together, ms. */
const TIME_LIMIT_MS = 200;

const SCRIPT = new Script('const re = new RegExp(pattern, "i"); names.map((name) => re.test(name));');

/**
 * Which of the names a regular expression of a client matches, without regard to case, as Nova's `name` filter.
 * Throws 400 for a malformed pattern and for one that takes too long.
 */
export function matchNames(pattern: string, names: readonly string[]): readonly boolean[] {
  if (pattern.length > MAX_PATTERN)
    throw badRequest(`The name filter is longer than ${MAX_PATTERN} characters.`);
  try {
    // Only in a context of its own can a regular expression be interrupted. It is given data alone, no functions.
    const context = createContext(
      { pattern, names: [...names] },
      { codeGeneration: { strings: false, wasm: false } },
    );
    const matches: unknown = SCRIPT.runInContext(context, { timeout: TIME_LIMIT_MS });
    const found = members(matches);
    return names.map((_name, index) => found[String(index)] === true);
  } catch (error) {
    const timedOut =
      error instanceof Error && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
    throw badRequest(
      timedOut
        ? `The name filter '${pattern}' takes too long to match: use a simpler one.`
        : `DB error: InvalidInput: Invalid regex '${pattern}'`,
    );
  }
}
