import { ComputeError } from '../errors.js';

/** One `name = value` of a configuration file. */
export interface Assignment {
  /** As written; `DEFAULT` for the first group. */
  readonly group: string;
  readonly name: string;
  readonly value: string;
}

const LARGEST_LINE = 65_536;

/**
 * Parses a file as oslo.config does (oslo_config/iniparser.py): `[group]`, `name = value` or `name: value`, lines that begin with white
 * space go on with the value before, `#` and `;` begin comments, one pair of quotes around a value is taken off.
 * @throws ComputeError InvalidConfiguration, with the file and the line
 */
export function parseIni(text: string, file: string): readonly Assignment[] {
  const found: Assignment[] = [];
  let group: string | undefined;
  let open: { readonly name: string; readonly values: string[] } | undefined;
  const close = (): void => {
    if (open !== undefined && group !== undefined)
      found.push({ group, name: open.name, value: unquoted(open.values.join('\n')) });
    open = undefined;
  };
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const refuse = (why: string): never => {
      throw new ComputeError('InvalidConfiguration', `${file}, line ${index + 1}: ${why}.`);
    };
    if (line.length > LARGEST_LINE) refuse('the line is too long');
    if (line.trim() === '') {
      close();
    } else if (/^\s/.test(line)) {
      if (open === undefined) refuse('the line goes on with a value, and none stands before it');
      open?.values.push(line.trim());
    } else {
      close();
      if (/^[#;]/.test(line)) continue;
      const header = /^\[(.*)\]\s*$/.exec(line);
      if (line.startsWith('[')) {
        if (header?.[1] === undefined || header[1].trim() === '') refuse('a group is written [name]');
        group = header?.[1]?.trim();
        continue;
      }
      const parts = /^([^:=]+?)\s*[:=]\s*(.*)$/.exec(line);
      if (parts === null) refuse('an option is written name = value');
      if (group === undefined) refuse('an option stands before the first [group]');
      open = { name: (parts?.[1] ?? '').trim(), values: [(parts?.[2] ?? '').trim()] };
    }
  }
  close();
  return found;
}

function unquoted(value: string): string {
  const quoted = /^(["'])(.*)\1$/s.exec(value);
  return quoted?.[2] ?? value;
}
