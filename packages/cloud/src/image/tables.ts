/** Booleans are 0 or 1, times are ISO 8601 text. */
export type ImageTables = {
  image_image: ImageRow;
  image_property: { image_id: string; name: string; value: string };
  image_tag: { image_id: string; tag: string };
  image_member: MemberRow;
};

/** Glance's life of an image, as far as it is lived here (api-ref "Image statuses"). */
export type ImageStatus = 'queued' | 'saving' | 'active' | 'deactivated' | 'deleted';
export type Visibility = 'private' | 'shared' | 'public' | 'community';
export type MemberStatus = 'pending' | 'accepted' | 'rejected';

export interface ImageRow {
  id: string;
  name: string | null;
  owner: string;
  status: ImageStatus;
  visibility: Visibility;
  protected: number;
  os_hidden: number;
  disk_format: string | null;
  container_format: string | null;
  /** GiB */
  min_disk: number;
  /** MiB */
  min_ram: number;
  /** bytes; null until there is data */
  size: number | null;
  /** MD5, hexadecimal */
  checksum: string | null;
  os_hash_algo: string | null;
  os_hash_value: string | null;
  created_at: string;
  updated_at: string;
}

export interface MemberRow {
  image_id: string;
  member_id: string;
  status: MemberStatus;
  created_at: string;
  updated_at: string;
}
