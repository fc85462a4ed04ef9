/** WQL as a tree: what the WMI SDK's "WQL (SQL for WMI)" pages describe, as far as data queries go. */
export type WqlQuery = WqlSelect | WqlAssociators | WqlReferences;

export interface WqlSelect {
  readonly kind: 'select';
  /** `*` or the property names as written. */
  readonly properties: '*' | readonly string[];
  readonly className: string;
  readonly where?: WqlCondition;
}

export type WqlCondition =
  | { readonly kind: 'and' | 'or'; readonly left: WqlCondition; readonly right: WqlCondition }
  | { readonly kind: 'not'; readonly operand: WqlCondition }
  | {
      readonly kind: 'compare';
      readonly property: string;
      readonly operator: WqlOperator;
      readonly value: WqlLiteral;
    }
  | { readonly kind: 'like'; readonly property: string; readonly pattern: string }
  | { readonly kind: 'null'; readonly property: string; readonly negated: boolean }
  | { readonly kind: 'isa'; readonly property: string; readonly className: string };

export type WqlOperator = '=' | '<>' | '<' | '>' | '<=' | '>=';
export type WqlLiteral = string | number | bigint | boolean | null;

/** `ASSOCIATORS OF {objectPath}`. */
export interface WqlAssociators {
  readonly kind: 'associators';
  /** The object path between the braces, e.g. `Msvm_ComputerSystem.CreationClassName="…",Name="…"`. */
  readonly objectPath: string;
  readonly associationClass?: string;
  readonly resultClass?: string;
  readonly role?: string;
  readonly resultRole?: string;
}

/** `REFERENCES OF {objectPath}`. */
export interface WqlReferences {
  readonly kind: 'references';
  readonly objectPath: string;
  readonly resultClass?: string;
  readonly role?: string;
}
