import { formatObjectPath as format, parseObjectPath as parse } from '@nova-hyperv/wsman';
import type { CimReference } from '@nova-hyperv/wsman';

/** The path as text with the host's name in front: the form in which a host reports paths. */
export function formatObjectPath(reference: CimReference, host: string): string {
  return format(reference, { host });
}

/** Reads an object path; undefined when the text is none. A path without a namespace gets `namespace`. */
export function parseObjectPath(
  text: string,
  namespace: string,
): { readonly reference: CimReference } | undefined {
  try {
    return { reference: parse(text, namespace) };
  } catch {
    return undefined;
  }
}
