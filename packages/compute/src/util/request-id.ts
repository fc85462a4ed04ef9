import { randomUUID } from 'node:crypto';

/** A request id in OpenStack's form, `req-` and a UUID: other services ignore any other form. */
export function newRequestId(): string {
  return `req-${randomUUID()}`;
}
