import { afterAll } from 'vitest';
import { rmSync } from 'node:fs';
import type { CimInstance } from '@nova-hyperv/wsman';
import type { WindowsRelease } from '../options.js';
import { isKind } from '../machines/kinds.js';
import type { KindName } from '../machines/kinds.js';
import { STATE, resourcesOf } from '../machines/model.js';
import type { Machine } from '../machines/model.js';
import type { RuleHost } from '../machines/rules.js';
import { ruleHost } from './rule-host.js';
import { errorCode } from '../system-error.js';

/** Rule hosts whose folders are removed when the file's tests are over. */
export function hostMaker(): (release?: WindowsRelease, refuse?: readonly string[]) => RuleHost {
  const hosts: RuleHost[] = [];
  afterAll(() => {
    for (const one of hosts) rmSync(one.paths.root, { recursive: true, force: true });
  });
  return (release = '2022', refuse = []) => {
    const host = ruleHost(release, refuse);
    hosts.push(host);
    return host;
  };
}

/** Return value of a refusal; 0 when there was none; the code of other errors. */
export function codeOf(work: () => unknown): number | string {
  try {
    work();
    return 0;
  } catch (error) {
    return error instanceof Error && 'returnValue' in error ? Number(error.returnValue) : errorCode(error);
  }
}

export function running(machine: Machine): Machine {
  return { ...machine, enabledState: STATE.running };
}

export function find(machine: Machine, name: KindName): CimInstance {
  const found = resourcesOf(machine).find((resource) => isKind(resource, name));
  if (found === undefined) throw new Error(`The machine has no ${name}`);
  return found;
}

export function kinds(machine: Machine, name: KindName): number {
  return resourcesOf(machine).filter((resource) => isKind(resource, name)).length;
}
