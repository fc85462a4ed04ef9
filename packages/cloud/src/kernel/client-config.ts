/** What a client needs to log in. */
export interface ClientAccess {
  /** Of the cloud: `http://127.0.0.1:8780`, without a trailing slash. */
  readonly url: string;
  readonly username: string;
  readonly password: string;
  readonly projectName: string;
  readonly region: string;
  /** What `OS_CLOUD` names; default `nova-hyperv`. */
  readonly cloudName?: string;
}

/** A double-quoted YAML scalar is a JSON string (YAML 1.2, section 7.3.1). */
const yaml = (text: string): string => JSON.stringify(text);
const shell = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** Text of a `clouds.yaml` for openstacksdk and python-openstackclient. It holds the password: keep the file 0600. */
export function cloudsYaml(access: ClientAccess): string {
  return [
    'clouds:',
    `  ${access.cloudName ?? 'nova-hyperv'}:`,
    '    auth:',
    `      auth_url: ${yaml(`${access.url}/identity`)}`,
    `      username: ${yaml(access.username)}`,
    `      password: ${yaml(access.password)}`,
    `      project_name: ${yaml(access.projectName)}`,
    '      user_domain_id: default',
    '      project_domain_id: default',
    `    region_name: ${yaml(access.region)}`,
    "    identity_api_version: '3'",
    '',
  ].join('\n');
}

/** Text of a file to `source` in a shell, for all of OpenStack's clients. It holds the password: keep the file 0600. */
export function openrc(access: ClientAccess): string {
  const variables = {
    OS_AUTH_URL: `${access.url}/identity`,
    OS_USERNAME: access.username,
    OS_PASSWORD: access.password,
    OS_PROJECT_NAME: access.projectName,
    OS_USER_DOMAIN_NAME: 'Default',
    OS_PROJECT_DOMAIN_NAME: 'Default',
    OS_REGION_NAME: access.region,
    OS_IDENTITY_API_VERSION: '3',
  };
  const lines = Object.entries(variables).map(([name, value]) => `export ${name}=${shell(value)}`);
  // A cloud chosen in the shell before would win over these.
  return ['unset OS_CLOUD OS_TOKEN OS_PROJECT_ID OS_SYSTEM_SCOPE OS_DOMAIN_NAME', ...lines, ''].join('\n');
}
