/** Nested mappings of scalars: all that a `clouds.yaml` is made of as a rule. */
export type YamlMapping = ReadonlyMap<string, YamlValue>;
export type YamlValue = string | YamlMapping;

export class CloudsYamlError extends Error {
  readonly code = 'CLOUDS_YAML';
}

interface Open {
  readonly indent: number;
  readonly mapping: Map<string, YamlValue>;
}

/**
 * Reads block mappings with plain and quoted scalars; lists are passed over. Other YAML (anchors, flow style, block scalars, tabs) is refused
 * with its line rather than misread.
 * @throws CloudsYamlError
 */
export function parseCloudsYaml(source: string): YamlMapping {
  const root = new Map<string, YamlValue>();
  const open: Open[] = [{ indent: -1, mapping: root }];
  let wanted:
    { readonly indent: number; readonly key: string; readonly into: Map<string, YamlValue> } | undefined;
  for (const [index, line] of source.split(/\r?\n/).entries()) {
    if (/^\s*(#.*)?$/.test(line) || /^(---|\.\.\.)\s*$/.test(line)) continue;
    const [, blanks = '', content = ''] = /^( *)(.*)$/.exec(line) ?? [];
    if (/^- |^-$/.test(content)) continue;
    const indent = blanks.length;
    if (wanted !== undefined && indent > wanted.indent) {
      const mapping = new Map<string, YamlValue>();
      wanted.into.set(wanted.key, mapping);
      open.push({ indent: wanted.indent, mapping });
    }
    while (open.length > 1 && indent <= (open.at(-1)?.indent ?? -1)) open.pop();
    const into = open.at(-1)?.mapping ?? root;
    const [, key, value = ''] =
      /^("[^"]*"|'[^']*'|[^\s"'{}[\]&*!|>%@`#,:][^:#]*?)\s*:(?:\s+(.*))?$/.exec(content) ?? [];
    if (key === undefined) throw refused(index, content);
    const name = key.replace(/^(["'])(.*)\1$/, '$2');
    const isEmpty = /^(#.*)?$/.test(value);
    into.set(name, isEmpty ? '' : scalar(value, index));
    wanted = isEmpty ? { indent, key: name, into } : undefined;
  }
  return root;
}

function scalar(text: string, index: number): string {
  const double = /^("(?:[^"\\]|\\.)*")\s*(#.*)?$/.exec(text)?.[1];
  if (double !== undefined) {
    try {
      return String(JSON.parse(double));
    } catch {
      throw refused(index, 'an escape');
    }
  }
  const single = /^'((?:[^']|'')*)'\s*(#.*)?$/.exec(text)?.[1];
  if (single !== undefined) return single.replaceAll("''", "'");
  if (/^["'{}[\]&*!|>%@`]/.test(text)) throw refused(index, 'a value');
  return text.replace(/\s+#.*$/, '').trim();
}

/** Says where, and not what: a password may stand there. */
function refused(index: number, what: string): CloudsYamlError {
  const part = what.startsWith('a') ? what : 'a line';
  return new CloudsYamlError(
    `line ${index + 1}: ${part} in a form that is not read here; use plain block mappings and quoted texts`,
  );
}
