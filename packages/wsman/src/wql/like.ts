/**
 * LIKE as WQL has it: `%` any run, `_` one character, `[a-f]` one of a set, `[^a-f]` one not of it; without regard
 * to case. Source: WMI SDK, "LIKE Operator". The matcher never backtracks over more than the last `%`, so its
 * cost is at most pattern length times text length.
 */
export function wqlLike(text: string, pattern: string): boolean {
  const tests = compile(pattern.toLowerCase());
  const subject = Array.from(text.toLowerCase());
  let at = 0;
  let test = 0;
  let star = -1;
  let retry = 0;
  while (at < subject.length) {
    const current = tests[test];
    if (current === 'any') {
      star = test;
      retry = at;
      test += 1;
    } else if (current?.(subject[at] ?? '') === true) {
      at += 1;
      test += 1;
    } else if (star >= 0) {
      retry += 1;
      at = retry;
      test = star + 1;
    } else {
      return false;
    }
  }
  return tests.slice(test).every((rest) => rest === 'any');
}

type Test = 'any' | ((character: string) => boolean);

function compile(pattern: string): Test[] {
  const characters = Array.from(pattern);
  const tests: Test[] = [];
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] ?? '';
    if (character === '%') tests.push('any');
    else if (character === '_') tests.push(() => true);
    else if (character === '[' && characters.indexOf(']', at + 2) > 0) {
      const close = characters.indexOf(']', at + 2);
      tests.push(setOf(characters.slice(at + 1, close)));
      at = close;
    } else tests.push((other) => other === character);
  }
  return tests;
}

function setOf(members: readonly string[]): (character: string) => boolean {
  const negated = members[0] === '^' && members.length > 1;
  const list = negated ? members.slice(1) : members;
  return (character) => {
    let found = false;
    for (let at = 0; at < list.length; at += 1) {
      const from = list[at] ?? '';
      const to = list[at + 2];
      if (list[at + 1] === '-' && to !== undefined) {
        found ||= character >= from && character <= to;
        at += 2;
      } else {
        found ||= character === from;
      }
    }
    return found !== negated;
  };
}
