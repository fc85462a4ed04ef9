import { z } from 'zod';

/** Whole numbers as Nova takes them: 5 or "5". */
export function integer(min: number, max = 2_147_483_647) {
  return z
    .union([z.number(), z.string().regex(/^-?\d{1,10}$/, 'must be an integer')])
    .transform(Number)
    .pipe(z.number().int().min(min).max(max));
}

/** nova/api/validation/parameter_types.py, `boolean`. */
export const boolean = z
  .union([
    z.boolean(),
    z.enum([
      'True',
      'TRUE',
      'true',
      '1',
      'ON',
      'On',
      'on',
      'YES',
      'Yes',
      'yes',
      'False',
      'FALSE',
      'false',
      '0',
      'OFF',
      'Off',
      'off',
      'NO',
      'No',
      'no',
    ]),
  ])
  .transform((value) => value === true || (typeof value === 'string' && /^(true|1|on|yes)$/i.test(value)));

/** A name: printable, 1 to 255 characters, surrounding spaces taken away. */
export const name = z
  .string()
  .transform((text) => text.trim())
  .pipe(
    z
      .string()
      .min(1)
      .max(255)
      .regex(/^[^\p{Cc}\p{Zl}\p{Zp}]*$/u, 'must be printable characters'),
  );

export const description = z
  .string()
  .max(255)
  .regex(/^[^\p{Cs}]*$/u)
  .nullable();

/** Metadata and extra specs: short keys, values that are kept as text. */
export const metadataValue = z.string().max(255);
export const metadataKey = z
  .string()
  .regex(
    /^[a-zA-Z0-9\-_:. ]{1,255}$/,
    'may have letters, digits, "-", "_", ":", "." and spaces, at most 255',
  );
export const metadata = z.record(metadataKey, metadataValue);

/** A member that only some microversions have: an unknown one otherwise. */
export const gated = <T extends z.ZodType>(known: boolean, schema: T) =>
  known ? schema.optional() : z.undefined('is not known at this microversion').optional();

/** A tag: 1 to 60 characters, no slash or comma. nova/api/openstack/compute/schemas/server_tags.py */
export const tag = z
  .string()
  .min(1)
  .max(60)
  .regex(/^[^,/]*$/, 'may not have "/" or ","');
/** Most tags of a server. */
export const MAX_TAGS = 50;
