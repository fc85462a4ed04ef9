import { z } from 'zod';
import { badRequest, forbidden } from '../../kernel/errors.js';
import type { RequestContext } from '../../kernel/service.js';
import { parse } from '../../kernel/validate.js';
import { CONTAINER_FORMATS, DISK_FORMATS, VISIBILITIES } from '../schema.js';
import type { FullImage } from './store.js';

const Megas = z.int().min(0).max(2_147_483_647);

/** Attributes that clients may set, with what they may be (Image API v2, "Create image"). */
export const ATTRIBUTES = {
  name: z.string().max(255).nullable(),
  visibility: z.enum(VISIBILITIES),
  protected: z.boolean(),
  os_hidden: z.boolean(),
  owner: z.string().max(255),
  disk_format: z.enum(DISK_FORMATS).nullable(),
  container_format: z.enum(CONTAINER_FORMATS).nullable(),
  min_disk: Megas,
  min_ram: Megas,
  tags: z.array(z.string().min(1).max(255)).max(128),
} as const;

export type Attribute = keyof typeof ATTRIBUTES;

/** Set by Glance itself (glance/api/v2/images.py, `_readonly_properties`). */
export const READ_ONLY: ReadonlySet<string> = new Set([
  'id',
  'created_at',
  'updated_at',
  'status',
  'checksum',
  'size',
  'virtual_size',
  'direct_url',
  'self',
  'file',
  'schema',
  'os_hash_algo',
  'os_hash_value',
  'stores',
]);

/** Not to be used as names of properties (glance/api/v2/images.py, `_reserved_properties` and locations). */
export const RESERVED: ReadonlySet<string> = new Set([
  'location',
  'locations',
  'deleted',
  'deleted_at',
  'is_public',
]);

/** glance-api.conf `image_property_quota`. */
const MAX_PROPERTIES = 128;
const PropertyName = z
  .string()
  .min(1)
  .max(255)
  .refine((name) => name !== '__proto__', 'is not a name that a property can have');
const PropertyValue = z.string().max(65_535);

export const isAttribute = (name: string): name is Attribute => Object.hasOwn(ATTRIBUTES, name);

/** Refuses names that clients cannot set. @throws ApiError 403 */
export function checkSettable(name: string): void {
  if (READ_ONLY.has(name)) throw forbidden(`Attribute '${name}' is read-only.`);
  if (RESERVED.has(name)) throw forbidden(`Attribute '${name}' is reserved.`);
}

function checkPolicy(context: RequestContext, image: FullImage, name: Attribute, value: unknown): void {
  if (context.isAdmin) return;
  if (name === 'visibility' && value === 'public')
    throw forbidden('You are not authorized to complete publicize_image action.');
  if (name === 'owner' && value !== image.owner)
    throw forbidden('You are not permitted to give an image to another project.');
}

const checked = (name: Attribute, value: unknown): unknown =>
  parse(z.object({ [name]: ATTRIBUTES[name] }), { [name]: value })[name];

/**
 * An image with one attribute or property changed; nothing is written.
 * @throws ApiError 400 wrong value, 403 not allowed
 */
export function withField(
  context: RequestContext,
  image: FullImage,
  name: string,
  value: unknown,
): FullImage {
  checkSettable(name);
  if (!isAttribute(name)) {
    parse(PropertyName, name);
    const text = PropertyValue.safeParse(value);
    if (!text.success)
      throw badRequest(
        `Invalid input for ${name}: the value of a property is text of up to 65535 characters.`,
      );
    const properties = { ...image.properties, [name]: text.data };
    if (Object.keys(properties).length > MAX_PROPERTIES) {
      throw badRequest(
        `The limit has been exceeded on the number of allowed image properties: at most ${MAX_PROPERTIES}.`,
      );
    }
    return { ...image, properties };
  }
  const wanted = checked(name, value);
  checkPolicy(context, image, name, wanted);
  const queued = image.status === 'queued' || wanted === image[name];
  if ((name === 'disk_format' || name === 'container_format') && !queued) {
    throw forbidden(`Attribute ${name} can be only replaced for a queued image.`);
  }
  return { ...image, [name]: typeof wanted === 'boolean' ? Number(wanted) : wanted };
}
