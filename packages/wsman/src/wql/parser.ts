import type {
  WqlAssociators,
  WqlCondition,
  WqlLiteral,
  WqlOperator,
  WqlQuery,
  WqlReferences,
  WqlSelect,
} from './ast.js';
import { invalidQuery, lexWql } from './lexer.js';
import type { WqlToken } from './lexer.js';

const MAX_NESTING = 64;
const MAX_TERMS = 2000;
const OPERATORS: Readonly<Record<string, WqlOperator>> = {
  '=': '=',
  '<>': '<>',
  '!=': '<>',
  '<': '<',
  '>': '>',
  '<=': '<=',
  '>=': '>=',
};
/** `5 < Property` means `Property > 5`. */
const MIRRORED: Readonly<Record<WqlOperator, WqlOperator>> = {
  '=': '=',
  '<>': '<>',
  '<': '>',
  '>': '<',
  '<=': '>=',
  '>=': '<=',
};
const RESERVED = new Set(['and', 'or', 'not', 'like', 'is', 'isa', 'null', 'true', 'false', 'where', 'from']);

/**
 * Reads a WQL data query: SELECT, ASSOCIATORS OF, REFERENCES OF. Keywords in any case. Event queries (WITHIN,
 * GROUP BY), COUNT and schema queries are refused. Throws {@link WmiError} with WBEM_E_INVALID_QUERY (0x80041017).
 */
export function parseWql(query: string): WqlQuery {
  const parser = new Parser(lexWql(query));
  return parser.query();
}

class Parser {
  readonly #tokens: readonly WqlToken[];
  #at = 0;
  #depth = 0;
  #terms = 0;

  constructor(tokens: readonly WqlToken[]) {
    this.#tokens = tokens;
  }

  query(): WqlQuery {
    if (this.#keyword('select')) return this.#select();
    if (this.#keyword('associators')) return this.#associators();
    if (this.#keyword('references')) return this.#references();
    throw invalidQuery('it begins with none of SELECT, ASSOCIATORS OF, REFERENCES OF');
  }

  #select(): WqlSelect {
    const properties = this.#propertyList();
    this.#expect('from');
    const className = this.#name('a class name');
    if (!this.#keyword('where')) {
      this.#end();
      return { kind: 'select', properties, className };
    }
    const where = this.#or();
    this.#end();
    return { kind: 'select', properties, className, where };
  }

  #propertyList(): '*' | readonly string[] {
    if (this.#symbol('*')) return '*';
    const names = [this.#name('a property name')];
    while (this.#symbol(',')) names.push(this.#name('a property name'));
    return names;
  }

  #or(): WqlCondition {
    let left = this.#and();
    while (this.#keyword('or')) left = { kind: 'or', left, right: this.#and() };
    return left;
  }

  #and(): WqlCondition {
    let left = this.#not();
    while (this.#keyword('and')) left = { kind: 'and', left, right: this.#not() };
    return left;
  }

  #not(): WqlCondition {
    if (!this.#keyword('not')) return this.#primary();
    return this.#nested(() => ({ kind: 'not', operand: this.#not() }));
  }

  #primary(): WqlCondition {
    this.#terms += 1;
    if (this.#terms > MAX_TERMS) throw invalidQuery(`more than ${MAX_TERMS} conditions`);
    if (!this.#symbol('(')) return this.#comparison();
    return this.#nested(() => {
      const inner = this.#or();
      if (!this.#symbol(')')) throw invalidQuery('a parenthesis is not closed');
      return inner;
    });
  }

  #nested(read: () => WqlCondition): WqlCondition {
    this.#depth += 1;
    if (this.#depth > MAX_NESTING) throw invalidQuery(`nested deeper than ${MAX_NESTING}`);
    const condition = read();
    this.#depth -= 1;
    return condition;
  }

  #comparison(): WqlCondition {
    const literal = this.#literal();
    if (literal !== undefined) {
      const operator = MIRRORED[this.#operator()];
      return { kind: 'compare', property: this.#name('a property name'), operator, value: literal.value };
    }
    const property = this.#name('a property name');
    if (this.#keyword('is')) {
      const negated = this.#keyword('not');
      this.#expect('null');
      return { kind: 'null', property, negated };
    }
    if (this.#keyword('like')) return { kind: 'like', property, pattern: this.#string() };
    if (this.#keyword('not')) {
      this.#expect('like');
      return { kind: 'not', operand: { kind: 'like', property, pattern: this.#string() } };
    }
    if (this.#keyword('isa')) return { kind: 'isa', property, className: this.#classOperand() };
    const operator = this.#operator();
    const value = this.#literal();
    if (value === undefined) throw invalidQuery(`${property} is compared with something that is no value`);
    return { kind: 'compare', property, operator, value: value.value };
  }

  #classOperand(): string {
    const token = this.#tokens[this.#at];
    return token?.kind === 'string' ? this.#string() : this.#name('a class name');
  }

  #operator(): WqlOperator {
    const token = this.#tokens[this.#at];
    const operator = token?.kind === 'symbol' ? OPERATORS[token.text] : undefined;
    if (operator === undefined) throw invalidQuery('a comparison operator is missing');
    this.#at += 1;
    return operator;
  }

  #literal(): { readonly value: WqlLiteral } | undefined {
    const token = this.#tokens[this.#at];
    if (token?.kind === 'string') return this.#take({ value: token.text });
    if (token?.kind === 'number') return this.#take({ value: token.value });
    if (token?.kind !== 'word') return undefined;
    const word = token.text.toLowerCase();
    if (word === 'true') return this.#take({ value: true });
    if (word === 'false') return this.#take({ value: false });
    if (word === 'null') return this.#take({ value: null });
    return undefined;
  }

  #take<T>(value: T): T {
    this.#at += 1;
    return value;
  }

  #associators(): WqlAssociators {
    this.#expect('of');
    const objectPath = this.#path();
    const where = this.#clauses(['assocclass', 'resultclass', 'role', 'resultrole']);
    return {
      kind: 'associators',
      objectPath,
      ...(where['assocclass'] === undefined ? {} : { associationClass: where['assocclass'] }),
      ...(where['resultclass'] === undefined ? {} : { resultClass: where['resultclass'] }),
      ...(where['role'] === undefined ? {} : { role: where['role'] }),
      ...(where['resultrole'] === undefined ? {} : { resultRole: where['resultrole'] }),
    };
  }

  #references(): WqlReferences {
    this.#expect('of');
    const objectPath = this.#path();
    const where = this.#clauses(['resultclass', 'role']);
    return {
      kind: 'references',
      objectPath,
      ...(where['resultclass'] === undefined ? {} : { resultClass: where['resultclass'] }),
      ...(where['role'] === undefined ? {} : { role: where['role'] }),
    };
  }

  /** `WHERE ResultClass = A Role = B`: clauses follow each other without AND. */
  #clauses(known: readonly string[]): Readonly<Record<string, string>> {
    const found: Record<string, string> = {};
    if (!this.#keyword('where')) {
      this.#end();
      return found;
    }
    do {
      const name = this.#name('a clause such as ResultClass').toLowerCase();
      if (!known.includes(name)) throw invalidQuery(`the clause ${name} is not supported here`);
      if (name in found) throw invalidQuery(`the clause ${name} is given twice`);
      if (!this.#symbol('=')) throw invalidQuery(`the clause ${name} has no value`);
      found[name] = this.#classOperand();
    } while (this.#at < this.#tokens.length);
    return found;
  }

  #path(): string {
    const token = this.#tokens[this.#at];
    if (token?.kind !== 'path' || token.text === '')
      throw invalidQuery('an object path in braces is missing');
    return this.#take(token.text);
  }

  #string(): string {
    const token = this.#tokens[this.#at];
    if (token?.kind !== 'string') throw invalidQuery('a quoted text is missing');
    return this.#take(token.text);
  }

  #name(what: string): string {
    const token = this.#tokens[this.#at];
    if (token?.kind !== 'word' || RESERVED.has(token.text.toLowerCase()))
      throw invalidQuery(`${what} is missing`);
    return this.#take(token.text);
  }

  #keyword(word: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.kind !== 'word' || token.text.toLowerCase() !== word) return false;
    this.#at += 1;
    return true;
  }

  #expect(word: string): void {
    if (!this.#keyword(word)) throw invalidQuery(`${word.toUpperCase()} is missing`);
  }

  #symbol(symbol: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.kind !== 'symbol' || token.text !== symbol) return false;
    this.#at += 1;
    return true;
  }

  #end(): void {
    const token = this.#tokens[this.#at];
    if (token === undefined) return;
    const text = token.kind === 'number' ? String(token.value) : token.text;
    throw invalidQuery(`unexpected "${text.slice(0, 80)}" after its end`);
  }
}
