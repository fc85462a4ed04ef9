/** `2026-01-31T12:00:00.000000Z`: Keystone's. */
export const isoMicroseconds = (date: Date): string => date.toISOString().replace('Z', '000Z');

/** `2026-01-31T12:00:00Z`: Nova's, Neutron's and Glance's. */
export const isoSeconds = (date: Date): string => `${date.toISOString().slice(0, 19)}Z`;
