import { z } from 'zod';

const TRUE = /^(true|t|yes|y|on|1)$/i;
const FALSE = /^(false|f|no|n|off|0)$/i;

/** cinder/api/validation/parameter_types.py, `boolean`: a boolean, or a text that means one. */
export const boolean = z
  .union([
    z.boolean(),
    z.string().refine((text) => TRUE.test(text.trim()) || FALSE.test(text.trim()), 'is not a boolean'),
  ])
  .transform((value) => value === true || (typeof value === 'string' && TRUE.test(value.trim())));

/** A whole number, or a text of one. */
export const integer = (min: number, max = 2_147_483_647) =>
  z
    .union([z.number(), z.string().regex(/^-?\d{1,10}$/, 'must be an integer')])
    .transform(Number)
    .pipe(z.number().int().min(min).max(max));

export const name = z
  .string()
  .max(255)
  .transform((text) => text.trim())
  .nullable();
export const description = name;

/** cinder/api/validation/parameter_types.py, `extra_specs` and `metadata`. */
const key = z.string().regex(/^[^\p{Cc}]{1,255}$/u, 'may have 1 to 255 characters');
export const metadata = z.record(key, z.string().max(255));
