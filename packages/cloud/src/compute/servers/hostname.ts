const MAX_HOSTNAME = 63;

/** A display name as a host name: RFC 1123 without its dots. nova/utils.py, sanitize_hostname */
export function sanitizeHostname(displayName: string, fallback: string): string {
  const cleaned = displayName
    .slice(0, MAX_HOSTNAME)
    .replaceAll(/[ _.]/g, '-')
    .replaceAll(/[^A-Za-z0-9-]+/g, '')
    .toLowerCase()
    .replaceAll(/^-+|-+$/g, '');
  return cleaned === '' ? fallback.slice(0, MAX_HOSTNAME) : cleaned;
}
