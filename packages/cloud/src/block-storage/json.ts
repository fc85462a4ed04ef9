import { z } from 'zod';

const TEXTS = z.record(z.string(), z.string());
const MEMBERS = z.record(z.string(), z.unknown());

/** A JSON column of texts by name; null is none. */
export const readTexts = (json: string | null): Readonly<Record<string, string>> =>
  json === null ? {} : TEXTS.parse(JSON.parse(json));

/** A JSON column that holds an object. */
export const readMembers = (json: string): Readonly<Record<string, unknown>> =>
  MEMBERS.parse(JSON.parse(json));
