import { randomUUID } from 'node:crypto';

/** An identifier as Keystone makes them: a UUID as 32 hexadecimal digits. */
export const newHexId = (): string => randomUUID().replaceAll('-', '');

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** A UUID in its canonical form with dashes. */
export const isUuid = (text: string): boolean => UUID.test(text);
