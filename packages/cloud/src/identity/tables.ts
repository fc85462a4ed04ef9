/** Booleans are 0 or 1, times are ISO 8601 text. */
export type IdentityTables = {
  identity_domain: { id: string; name: string; description: string; enabled: number };
  identity_project: ProjectRow;
  identity_user: UserRow;
  identity_role: { id: string; name: string; description: string | null };
  identity_assignment: { role_id: string; user_id: string; project_id: string; domain_id: string };
  identity_region: { id: string; description: string; parent_region_id: string | null };
  identity_service: ServiceRow;
  identity_endpoint: EndpointRow;
  identity_revoked_token: { audit_id: string; expires_at: number };
};

export interface ProjectRow {
  id: string;
  name: string;
  domain_id: string;
  description: string;
  enabled: number;
}

export interface UserRow {
  id: string;
  name: string;
  domain_id: string;
  password_hash: string | null;
  enabled: number;
  email: string | null;
  description: string | null;
  default_project_id: string | null;
  /** Tokens issued before (ms since 1970) are not valid: set when the password changes or the user is disabled. */
  tokens_valid_from: number;
}

export interface ServiceRow {
  id: string;
  type: string;
  name: string;
  description: string;
  enabled: number;
}

export interface EndpointRow {
  id: string;
  service_id: string;
  interface: string;
  /** With `%(project_id)s` where the project of the token belongs. */
  url: string;
  region_id: string;
  enabled: number;
}
