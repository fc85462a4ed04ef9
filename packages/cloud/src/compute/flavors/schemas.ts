import { z } from 'zod';
import { boolean, description, gated, integer, metadataKey, name } from '../api/values.js';

const extraSpecValue = z
  .union([z.string(), z.number(), z.boolean()])
  .transform(String)
  .pipe(z.string().max(255));

export const extraSpecs = z.record(metadataKey, extraSpecValue);

const flavor = {
  name,
  id: z
    .union([z.string(), z.number().transform(String)])
    .pipe(
      z
        .string()
        .regex(
          /^(?! )[a-zA-Z0-9. _-]{1,255}(?<! )$/,
          'may have letters, digits, ".", "_", "-" and inner spaces',
        ),
    )
    .nullish(),
  ram: integer(1),
  vcpus: integer(1),
  disk: integer(0),
  'OS-FLV-EXT-DATA:ephemeral': integer(0).optional(),
  swap: integer(0).optional(),
  rxtx_factor: z
    .union([z.number(), z.string().regex(/^\d+(\.\d+)?$/)])
    .transform(Number)
    .optional(),
  'os-flavor-access:is_public': boolean.optional(),
};

/** 2.55 adds the description. */
export const createFlavor = (version: number) =>
  z.strictObject({ flavor: z.strictObject({ ...flavor, description: gated(version >= 55, description) }) });
export const updateFlavor = z.strictObject({ flavor: z.strictObject({ description }) });
export const setExtraSpecs = z.strictObject({ extra_specs: extraSpecs });
const access = z.strictObject({ tenant: z.string().min(1).max(255) });
export const flavorAction = z.union([
  z.strictObject({ addTenantAccess: access }),
  z.strictObject({ removeTenantAccess: access }),
]);
