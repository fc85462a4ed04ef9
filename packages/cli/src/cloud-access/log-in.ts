import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import {
  createGlanceClient,
  createNeutronClient,
  createNovaClient,
  logInWithPassword,
  type GlanceClient,
  type NeutronClient,
  type NovaClient,
  type PasswordLogin,
} from '@nova-hyperv/compute';
import { CliError, EXIT } from '../errors.js';
import { errorCode, errorMessage } from '../json.js';
import type { StateFolder } from '../up/state-folder.js';
import { CloudsYamlError, parseCloudsYaml, type YamlMapping, type YamlValue } from './clouds-yaml.js';

/** A cloud's services; close them when done. */
export interface CloudAccess {
  readonly images: GlanceClient;
  readonly compute: NovaClient;
  readonly network: NeutronClient;
  close(): Promise<void>;
}

interface Login {
  readonly login: PasswordLogin;
  readonly region?: string;
  readonly face?: string;
}

/** Logs in as OpenStack's own clients do. @throws CliError, RestError */
export async function accessCloud(state: StateFolder, cloud: string | undefined): Promise<CloudAccess> {
  const { login, region, face } = await findLogin(state, cloud, process.env);
  const session = await logInWithPassword(login);
  const endpoint = (...types: string[]): string => {
    const url = session.endpoint(types, region, face);
    if (url !== undefined) return url;
    throw new CliError(
      `the cloud's catalogue has no ${types[0]} service${region === undefined ? '' : ` in region ${region}`}`,
    );
  };
  const common = { tokens: session };
  const images = createGlanceClient({ ...common, baseUrl: endpoint('image') });
  const compute = createNovaClient({ ...common, baseUrl: endpoint('compute') });
  const network = createNeutronClient({ ...common, baseUrl: endpoint('network') });
  return {
    images,
    compute,
    network,
    async close() {
      await Promise.all([images.close(), compute.close(), network.close()]);
    },
  };
}

/** OS_AUTH_URL and its like when no cloud is named; else OS_CLIENT_CONFIG_FILE, the state folder's clouds.yaml, the user's. */
async function findLogin(
  state: StateFolder,
  named: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<Login> {
  const cloud = named ?? env['OS_CLOUD'];
  if (cloud === undefined && env['OS_AUTH_URL'] !== undefined)
    return loginOf((key) => env[`OS_${key.toUpperCase()}`]);
  const given = env['OS_CLIENT_CONFIG_FILE'];
  const files =
    given !== undefined
      ? [given]
      : [
          state.cloudsYaml,
          'clouds.yaml',
          join(homedir(), '.config/openstack/clouds.yaml'),
          '/etc/openstack/clouds.yaml',
        ];
  for (const file of files) {
    const clouds = await cloudsOf(file);
    const wanted = cloud ?? (clouds?.size === 1 ? [...clouds.keys()][0] : undefined);
    const found = wanted === undefined ? undefined : clouds?.get(wanted);
    if (found instanceof Map) return loginOfCloud(found, file);
  }
  throw new CliError(
    `no cloud ${cloud ?? ''} in ${files.join(', ')}: start one (script/up), set OS_CLOUD and OS_CLIENT_CONFIG_FILE, or give --image and --flavor as files (image.json)`.replaceAll(
      '  ',
      ' ',
    ),
    EXIT.unavailable,
  );
}

async function cloudsOf(file: string): Promise<YamlMapping | undefined> {
  try {
    const clouds = parseCloudsYaml(await readFile(file, 'utf8')).get('clouds');
    return clouds instanceof Map ? clouds : undefined;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    if (error instanceof CloudsYamlError) throw new CliError(`${file}, ${errorMessage(error)}`);
    throw error;
  }
}

function text(value: YamlValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function loginOfCloud(cloud: YamlMapping, file: string): Login {
  const auth = cloud.get('auth');
  if (text(cloud.get('verify'))?.toLowerCase() === 'false' || cloud.has('cacert')) {
    throw new CliError(
      `${file}: certificates are always checked here; name your own authority in NODE_EXTRA_CA_CERTS, and remove verify and cacert`,
    );
  }
  return loginOf((key) => (auth instanceof Map ? text(auth.get(key)) : undefined) ?? text(cloud.get(key)));
}

function loginOf(value: (key: string) => string | undefined): Login {
  const authUrl = value('auth_url');
  const password = value('password');
  if (authUrl === undefined || password === undefined)
    throw new CliError(
      'the cloud has no auth_url or no password: only a login with a password is known here',
    );
  const given = (names: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(
      Object.entries(names).flatMap(([key, name]) => {
        const found = value(name);
        return found === undefined ? [] : [[key, found] as const];
      }),
    );
  return {
    login: { authUrl, password, ...given(LOGIN_FIELDS) },
    ...given({ region: 'region_name', face: 'interface' }),
  };
}

/** Fields of a login and their names in clouds.yaml. */
const LOGIN_FIELDS: Readonly<Record<string, string>> = {
  username: 'username',
  userId: 'user_id',
  userDomainId: 'user_domain_id',
  userDomainName: 'user_domain_name',
  projectName: 'project_name',
  projectId: 'project_id',
  projectDomainId: 'project_domain_id',
  projectDomainName: 'project_domain_name',
};
