import { readFileSync, statSync } from 'node:fs';
import { ComputeError } from '../errors.js';
import { parseIni } from './ini.js';
import type { Assignment } from './ini.js';

const LARGEST_FILE = 4 * 1024 * 1024;
const DEEPEST = 20;

/** Names that values may refer to though no file sets them: Nova's own defaults. */
const KNOWN: Readonly<Record<string, string>> = { 'DEFAULT.state_path': '/var/lib/nova' };

/**
 * The options of one or more configuration files, by oslo.config's rules: of an option with one value the last one counts, in the last
 * file that has it; of an option with many values all of all files count. What no reader asks for is passed over.
 */
export class NovaConf {
  readonly #assignments: readonly Assignment[];

  constructor(assignments: readonly Assignment[] = []) {
    this.#assignments = assignments;
  }

  /** @throws ComputeError InvalidConfiguration */
  static read(files: readonly string[]): NovaConf {
    return new NovaConf(files.flatMap((file) => parseIni(readText(file), file)));
  }

  static parse(text: string, file = 'nova.conf'): NovaConf {
    return new NovaConf(parseIni(text, file));
  }

  /** All values in the order of the files; references are filled in. */
  all(group: string, name: string): readonly string[] {
    return this.#raw(group, name).map((value) => this.#filled(value, group, 0));
  }

  /** The value that counts, or undefined when no file sets the option. */
  text(group: string, name: string): string | undefined {
    return this.all(group, name).at(-1);
  }

  integer(group: string, name: string): number | undefined {
    const text = this.text(group, name);
    if (text === undefined) return undefined;
    if (/^[+-]?\d{1,15}$/.test(text)) return Number(text);
    throw wrong(group, name, text, 'a whole number');
  }

  float(group: string, name: string): number | undefined {
    const text = this.text(group, name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (text !== '' && Number.isFinite(value)) return value;
    throw wrong(group, name, text, 'a number');
  }

  flag(group: string, name: string): boolean | undefined {
    const text = this.text(group, name)?.toLowerCase();
    if (text === undefined) return undefined;
    if (['true', '1', 'on', 'yes'].includes(text)) return true;
    if (['false', '0', 'off', 'no'].includes(text)) return false;
    throw wrong(group, name, text, 'one of true, false, on, off, yes, no, 1, 0');
  }

  /** Parts between commas. */
  list(group: string, name: string): readonly string[] | undefined {
    const text = this.text(group, name);
    if (text === undefined) return undefined;
    return text === '' ? [] : text.split(',').map((part) => part.trim());
  }

  #raw(group: string, name: string): readonly string[] {
    return this.#assignments
      .filter((one) => sameGroup(one.group, group) && one.name === name)
      .map(({ value }) => value);
  }

  /** `$name`, `${name}`, `${group.name}`; `$$` and `\$` are a dollar. */
  #filled(value: string, group: string, depth: number): string {
    if (depth > DEEPEST)
      throw new ComputeError('InvalidConfiguration', `[${group}]: the value ${value} refers to itself.`);
    return value.replaceAll(
      /\\\$|\$\$|\$(?:([_a-z][._a-z0-9]*)|\{([_a-z][._a-z0-9]*)\})/gi,
      (whole: string, plain: string | undefined, braced: string | undefined) => {
        const name = plain ?? braced;
        return name === undefined ? '$' : this.#referred(whole, name, group, depth);
      },
    );
  }

  #referred(whole: string, name: string, group: string, depth: number): string {
    const dot = name.indexOf('.');
    const places: readonly (readonly [string, string])[] =
      dot > 0
        ? [[name.slice(0, dot), name.slice(dot + 1)]]
        : [
            [group, name],
            ['DEFAULT', name],
          ];
    for (const [of, option] of places) {
      const value = this.#raw(of, option).at(-1) ?? KNOWN[`${of}.${option}`];
      if (value !== undefined) return this.#filled(value, of, depth + 1);
    }
    throw new ComputeError(
      'InvalidConfiguration',
      `[${group}]: a value refers to ${whole}, which no configuration file sets.`,
    );
  }
}

/** Names of groups are compared without regard to case, as oslo.config's normalized ones are. */
function sameGroup(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function wrong(group: string, name: string, value: string, expected: string): ComputeError {
  return new ComputeError(
    'InvalidConfiguration',
    `[${group}] ${name} is ${JSON.stringify(value)}; it has to be ${expected}.`,
  );
}

function readText(file: string): string {
  try {
    if (statSync(file).size > LARGEST_FILE)
      throw new ComputeError('InvalidConfiguration', `The configuration file ${file} is larger than 4 MiB.`);
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof ComputeError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new ComputeError('InvalidConfiguration', `The configuration file ${file} cannot be read: ${why}.`, {
      cause: error,
    });
  }
}
