import type { IncomingHttpHeaders } from 'node:http';
import { badRequest, forbidden } from '../kernel/errors.js';
import { isSigned } from './signature.js';

/** Of whom a proxy says that he asks. */
export type MetadataCaller =
  | { readonly kind: 'instance'; readonly uuid: string; readonly projectId: string }
  /** The one that has this address on the provider's network. */
  | { readonly kind: 'address'; readonly networkId: string; readonly address: string };

/** Whether a request at the root is for the metadata service: a proxy says so. */
export function isProxied(headers: IncomingHttpHeaders): boolean {
  return headers['x-instance-id'] !== undefined || headers['x-metadata-provider'] !== undefined;
}

/**
 * Who asks, by the signed word of a proxy: nothing else about a request is believed.
 * Source: nova/api/metadata/handler.py, _handle_instance_id_request and _handle_instance_id_request_from_lb.
 * @throws ApiError 400 without the needed headers, 403 for a wrong signature
 */
export function callerOf(headers: IncomingHttpHeaders, secret: string): MetadataCaller {
  const provider = headerOf(headers, 'X-Metadata-Provider');
  if (provider !== undefined) return callerOfProvider(headers, provider, secret);
  const uuid = headerOf(headers, 'X-Instance-ID');
  const signature = headerOf(headers, 'X-Instance-ID-Signature');
  const projectId = headerOf(headers, 'X-Tenant-ID');
  if (uuid === undefined) throw missing('X-Instance-ID header is missing from request.');
  if (signature === undefined) throw missing('X-Instance-ID-Signature header is missing from request.');
  if (projectId === undefined) throw missing('X-Tenant-ID header is missing from request.');
  if (!isSigned(secret, uuid, signature)) throw wrongSignature();
  return { kind: 'instance', uuid, projectId };
}

function callerOfProvider(headers: IncomingHttpHeaders, provider: string, secret: string): MetadataCaller {
  const forwarded = headerOf(headers, 'X-Forwarded-For');
  if (forwarded === undefined) throw missing('X-Forwarded-For is missing from request.');
  const signature = headerOf(headers, 'X-Metadata-Provider-Signature') ?? '';
  if (!isSigned(secret, provider, signature)) throw wrongSignature();
  return { kind: 'address', networkId: provider, address: forwarded.split(',')[0]?.trim() ?? '' };
}

function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name.toLowerCase()];
  return typeof value === 'string' ? value : value?.join(', ');
}

const missing = badRequest;
const wrongSignature = () => forbidden('Invalid proxy request signature.');
