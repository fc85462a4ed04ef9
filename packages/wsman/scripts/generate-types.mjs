#!/usr/bin/env node
/**
 * Writes TypeScript interfaces for WMI classes from the schema data.
 *
 *     node packages/wsman/scripts/generate-types.mjs <out.ts> <namespace> <Class> [<Class> …]
 *
 * For each class an interface with all its properties, inherited ones included, and for each property with
 * documented values a constant `<Class>_<Property>`. A further namespace may follow after `--`:
 *
 *     … out.ts root/virtualization/v2 Msvm_ComputerSystem -- root/cimv2 Win32_OperatingSystem
 */
import { readFileSync, writeFileSync } from 'node:fs';

const DATA = ['virtualization-v2.json', 'other-namespaces.json'];
const NUMBERS = new Set(['uint8', 'uint16', 'uint32', 'sint8', 'sint16', 'sint32', 'real32', 'real64']);

const read = (name) =>
  JSON.parse(readFileSync(new URL(`../schema/${name}`, import.meta.url), 'utf8')).namespaces;

/** Objects are merged member by member; everything else is replaced. */
function merge(base, change) {
  if (!isObject(base) || !isObject(change)) return change;
  const result = { ...base };
  for (const [key, value] of Object.entries(change))
    result[key] = key in base ? merge(base[key], value) : value;
  return result;
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function loadNamespace(wanted) {
  const corrections = read('corrections.json');
  for (const file of DATA) {
    for (const [namespace, classes] of Object.entries(read(file))) {
      if (namespace.toLowerCase() !== wanted.toLowerCase()) continue;
      const changes = corrections[namespace] ?? {};
      const merged = new Map();
      for (const [name, def] of Object.entries(classes)) {
        // Methods are of no concern here, and their corrections have another shape.
        const { properties = {} } = changes[name] ?? {};
        merged.set(name.toLowerCase(), { name, ...merge(def, { properties }) });
      }
      return { namespace, classes: merged };
    }
  }
  return fail(`The schema data has no namespace ${wanted}`);
}

/** Own and inherited properties, the nearest declaration last; values of an ancestor's declaration are kept. */
function propertiesOf(classes, def) {
  const parent = def.superclass === undefined ? undefined : classes.get(def.superclass.toLowerCase());
  const all = parent === undefined ? new Map() : propertiesOf(classes, parent);
  for (const [name, property] of Object.entries(def.properties)) {
    const inherited = all.get(name.toLowerCase());
    const values = property.values ?? inherited?.property.values;
    all.set(name.toLowerCase(), {
      name,
      property: values === undefined ? property : { ...property, values },
    });
  }
  return all;
}

function typeOf(property) {
  const one = scalarType(property);
  if (!property.array) return one;
  return one.includes('|') ? `readonly (${one})[]` : `readonly ${one}[]`;
}

function scalarType({ type, interval, embeddedInstance }) {
  if (type === 'boolean') return 'boolean';
  if (type === 'uint64' || type === 'sint64') return 'bigint';
  if (NUMBERS.has(type)) return 'number';
  if (type === 'datetime') return interval ? 'CimInterval' : 'CimDateTime';
  if (type === 'reference') return 'CimReference';
  if (type === 'object') return 'CimInstance';
  return embeddedInstance === undefined ? 'string' : 'CimInstance | string';
}

function comment(property, isKey) {
  const facts = [];
  if (isKey) facts.push('Key.');
  if (property.units) facts.push(`Unit: ${property.units}.`);
  if (property.embeddedInstance) facts.push(`Holds ${property.embeddedInstance}.`);
  if (property.ref) facts.push(`Refers to ${property.ref}.`);
  return facts.length === 0 ? '' : `  /** ${facts.join(' ')} */\n`;
}

function valueNames(values) {
  const used = new Map();
  const lines = [];
  for (const [number, name] of Object.entries(values)) {
    if (typeof name !== 'string' || !/^-?\d+$/.test(number)) continue;
    const words = name
      .replaceAll(/[^A-Za-z0-9]+/g, ' ')
      .trim()
      .split(' ');
    if (words[0] === '' || name.length > 60) continue;
    let label = words.map((word) => word[0].toUpperCase() + word.slice(1)).join('');
    const seen = (used.get(label) ?? 0) + 1;
    used.set(label, seen);
    if (seen > 1) label += seen;
    lines.push(`  ${/^\d/.test(label) ? `'${label}'` : label}: ${number},`);
  }
  return lines;
}

function render(classes, name) {
  const def = classes.get(name.toLowerCase()) ?? fail(`The schema data has no class ${name}`);
  const properties = [...propertiesOf(classes, def).values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const keys = new Set(def.keys.map((key) => key.toLowerCase()));
  const members = properties.map(
    (item) =>
      `${comment(item.property, keys.has(item.name.toLowerCase()))}  readonly ${item.name}?: ${typeOf(item.property)} | null;\n`,
  );
  let text = `export interface ${def.name} {\n${members.join('')}}\n`;
  for (const item of properties) {
    const lines = item.property.values === undefined ? [] : valueNames(item.property.values);
    if (lines.length > 0)
      text += `\nexport const ${def.name}_${item.name} = {\n${lines.join('\n')}\n} as const;\n`;
  }
  return text;
}

function fail(message) {
  process.stderr.write(`generate-types: ${message}\n`);
  process.exit(2);
}

function main([out, ...rest]) {
  const groups = [[]];
  for (const word of rest) {
    if (word === '--') groups.push([]);
    else groups.at(-1).push(word);
  }
  if (out === undefined || groups.some((group) => group.length < 2)) {
    fail('usage: generate-types.mjs <out.ts> <namespace> <Class>… [-- <namespace> <Class>…]');
  }
  const parts = groups.flatMap(([namespace, ...names]) => {
    const { classes } = loadNamespace(namespace);
    return names.map((name) => render(classes, name));
  });
  const body = parts.join('\n');
  const used = ['CimDateTime', 'CimInstance', 'CimInterval', 'CimReference'].filter((type) =>
    new RegExp(`\\b${type}\\b`).test(body),
  );
  const imports =
    used.length === 0 ? '' : `import type { ${used.join(', ')} } from '@nova-hyperv/wsman';\n\n`;
  writeFileSync(
    out,
    `// Generated from the WMI schema data by generate-types.mjs. Do not edit.\n${imports}${body}`,
  );
}

main(process.argv.slice(2));
