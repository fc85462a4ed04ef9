import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** What a proxy signs its word with: HMAC-SHA256 of the identifier, in hexadecimal. Source: neutron/agent/metadata/agent.py, _sign_instance_id. */
export function sign(secret: string, identifier: string): string {
  return createHmac('sha256', secret).update(identifier).digest('hex');
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Takes as long for a wrong signature as for the right one, whatever its length. */
export function isSigned(secret: string, identifier: string, signature: string): boolean {
  return timingSafeEqual(digest(sign(secret, identifier)), digest(signature));
}
