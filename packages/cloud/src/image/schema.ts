/** glance-api.conf, `[image_format] disk_formats` */
export const DISK_FORMATS = [
  'raw',
  'vhd',
  'vhdx',
  'vmdk',
  'vdi',
  'iso',
  'ploop',
  'qcow2',
  'aki',
  'ari',
  'ami',
] as const;
/** glance-api.conf, `[image_format] container_formats` */
export const CONTAINER_FORMATS = ['ami', 'ari', 'aki', 'bare', 'ovf', 'ova', 'docker', 'compressed'] as const;
export const VISIBILITIES = ['community', 'public', 'private', 'shared'] as const;

const UUID = '^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$';
const readOnly = (type: string | readonly string[], description: string): object => ({
  type,
  description,
  readOnly: true,
});

/** What clients learn of an image from `/v2/schemas/image` (Image API v2, "Show image schema"); glanceclient checks against it. */
export const imageSchema = {
  name: 'image',
  properties: {
    id: { type: 'string', pattern: UUID, description: 'An identifier for the image' },
    name: { type: ['null', 'string'], maxLength: 255, description: 'Descriptive name for the image' },
    status: {
      ...readOnly('string', 'Status of the image'),
      enum: [
        'queued',
        'saving',
        'active',
        'killed',
        'deleted',
        'uploading',
        'importing',
        'pending_delete',
        'deactivated',
      ],
    },
    visibility: { type: 'string', enum: VISIBILITIES, description: 'Scope of image accessibility' },
    protected: { type: 'boolean', description: 'If true, image will not be deletable.' },
    os_hidden: {
      type: 'boolean',
      description: 'If true, image will not appear in default image list response.',
    },
    checksum: { ...readOnly(['null', 'string'], 'md5 hash of image contents.'), maxLength: 32 },
    os_hash_algo: { ...readOnly(['null', 'string'], 'Algorithm of os_hash_value'), maxLength: 64 },
    os_hash_value: {
      ...readOnly(['null', 'string'], 'Hash of the image contents by os_hash_algo'),
      maxLength: 128,
    },
    owner: { type: ['null', 'string'], maxLength: 255, description: 'Owner of the image' },
    size: readOnly(['null', 'integer'], 'Size of image file in bytes'),
    virtual_size: readOnly(['null', 'integer'], 'Virtual size of image in bytes'),
    container_format: {
      type: ['null', 'string'],
      enum: [null, ...CONTAINER_FORMATS],
      description: 'Format of the container',
    },
    disk_format: {
      type: ['null', 'string'],
      enum: [null, ...DISK_FORMATS],
      description: 'Format of the disk',
    },
    created_at: readOnly('string', 'Date and time of image registration'),
    updated_at: readOnly('string', 'Date and time of the last image modification'),
    tags: {
      type: 'array',
      items: { type: 'string', maxLength: 255 },
      description: 'List of strings related to the image',
    },
    self: readOnly('string', 'An image self url'),
    file: readOnly('string', 'An image file url'),
    schema: readOnly('string', 'An image schema url'),
    min_ram: { type: 'integer', description: 'Amount of ram (in MB) required to boot image.' },
    min_disk: { type: 'integer', description: 'Amount of disk space (in GB) required to boot image.' },
  },
  additionalProperties: { type: 'string' },
  links: [
    { rel: 'self', href: '{self}' },
    { rel: 'enclosure', href: '{file}' },
    { rel: 'describedby', href: '{schema}' },
  ],
};

export const imagesSchema = {
  name: 'images',
  properties: {
    images: { type: 'array', items: imageSchema },
    first: { type: 'string' },
    next: { type: 'string' },
    schema: { type: 'string' },
  },
  links: [
    { rel: 'first', href: '{first}' },
    { rel: 'next', href: '{next}' },
    { rel: 'describedby', href: '{schema}' },
  ],
};

export const memberSchema = {
  name: 'member',
  properties: {
    created_at: { type: 'string' },
    image_id: { type: 'string', pattern: UUID },
    member_id: { type: 'string' },
    status: { type: 'string', enum: ['pending', 'accepted', 'rejected'] },
    updated_at: { type: 'string' },
    schema: { type: 'string', readOnly: true },
  },
};

export const membersSchema = {
  name: 'members',
  properties: { members: { type: 'array', items: memberSchema }, schema: { type: 'string' } },
  links: [{ rel: 'describedby', href: '{schema}' }],
};
