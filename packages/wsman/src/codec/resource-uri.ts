const PREFIX = 'http://schemas.microsoft.com/wbem/wsman/1/wmi/';
/** The spelling without a version segment, which Microsoft's tools accept as an alias. */
const ALIAS = 'http://schemas.microsoft.com/wbem/wsman/wmi/';

export interface WmiResource {
  /** `root/virtualization/v2`, in the case in which it was written. */
  readonly namespace: string;
  /** Class name, or `*` for queries over any class. */
  readonly className: string;
}

/** `http://schemas.microsoft.com/wbem/wsman/1/wmi/<namespace>/<class>`. Source: WinRM, "Resource URIs". */
export function resourceUri(namespace: string, className: string): string {
  return `${PREFIX}${namespace}/${className}`;
}

/** Undefined when it addresses no WMI class. Resource URIs do not distinguish case. */
export function parseResourceUri(uri: string): WmiResource | undefined {
  const trimmed = uri.trim();
  const lower = trimmed.toLowerCase();
  const prefix = [PREFIX, ALIAS].find((start) => lower.startsWith(start));
  if (prefix === undefined) return undefined;
  const match = /^([A-Za-z0-9_]+(?:\/[A-Za-z0-9_]+)*)\/([A-Za-z0-9_]+|\*)$/u.exec(
    trimmed.slice(prefix.length),
  );
  const [, namespace, className] = match ?? [];
  return namespace === undefined || className === undefined ? undefined : { namespace, className };
}
