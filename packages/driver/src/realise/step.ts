import type { CimInstance, CimReference } from '@nova-hyperv/wsman';
import type { ResourceKind, SystemSettings } from '@nova-hyperv/hyperv';
import type { ObservedMachine } from './observed.js';

/** One resource to add, and what the machine then is. */
export interface Addition {
  readonly instance: CimInstance;
  /** The instance goes on top of the host's own default object of this kind, whose properties are not all documented. */
  readonly onDefaultOf?: ResourceKind;
  readonly apply: (machine: ObservedMachine, added: CimReference) => ObservedMachine;
}

/** One call on the way from what a host has to what a spec says. */
export type Step =
  | { readonly kind: 'observe' }
  | { readonly kind: 'remove'; readonly references: readonly CimReference[]; readonly after: ObservedMachine }
  | { readonly kind: 'add'; readonly additions: readonly Addition[] }
  | { readonly kind: 'modify'; readonly resources: readonly CimInstance[]; readonly after: ObservedMachine }
  | {
      /** Features of one switch port: a call names the port whose features it adds. */
      readonly kind: 'feature';
      readonly connection: CimReference;
      readonly feature: CimInstance;
      readonly isNew: boolean;
      readonly after: ObservedMachine;
    }
  | { readonly kind: 'settings'; readonly changes: SystemSettings; readonly after: ObservedMachine };

/** Changes of resources that are there, and what the machine then is. */
export interface Modification {
  readonly resources: readonly CimInstance[];
  readonly after: ObservedMachine;
}
