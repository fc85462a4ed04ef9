/** Times are ISO 8601 text. */
export type KeyManagerTables = {
  key_manager_secret: SecretRow;
  key_manager_container: ContainerRow;
  key_manager_container_secret: { container_id: string; name: string; secret_id: string };
};

interface Owned {
  readonly id: string;
  readonly project_id: string;
  /** User. */
  readonly creator_id: string;
  readonly name: string | null;
  readonly created_at: string;
}

export interface SecretRow extends Owned {
  readonly secret_type: string;
  readonly content_type: string;
  /** Encrypted. */
  readonly payload: Buffer;
}

export interface ContainerRow extends Owned {
  readonly type: string;
}
