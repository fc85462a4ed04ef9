import { posix } from 'node:path';
import { ec2MetaData, ec2Tree, findInTree, printTree } from './ec2.js';
import { userDataBytes } from './input.js';
import type { MetadataInput } from './input.js';
import { networkData } from './network-data.js';
import {
  contentName,
  metaData,
  META_DATA,
  NAMES,
  NETWORK_DATA,
  PASSWORD,
  USER_DATA,
  VENDOR_DATA,
  VENDOR_DATA_2,
} from './openstack.js';
import {
  CONFIG_DRIVE_EC2_VERSIONS,
  EC2_VERSIONS,
  ec2Version,
  hasOpenstack,
  LATEST,
  OPENSTACK_VERSIONS,
  openstackVersion,
} from './versions.js';
import type { Ec2Version, OpenStackVersion } from './versions.js';

export interface MetadataFile {
  readonly path: string;
  readonly content: Uint8Array;
}

/** What a path of the metadata service holds. */
export type MetadataAnswer =
  | { readonly kind: 'text' | 'json'; readonly body: Buffer }
  /** The guest may read and, once, write it. */
  | { readonly kind: 'password'; readonly posted: string };

/**
 * What the metadata service answers at a path, in OpenStack's format below `/openstack` and in EC2's elsewhere; undefined where there is
 * nothing. Pure. Source: nova/api/metadata/base.py, lookup.
 */
export function lookUpMetadata(input: MetadataInput, path: string): MetadataAnswer | undefined {
  const [first = '', ...rest] = posix
    .normalize(`/${path}`)
    .split('/')
    .filter((name) => name !== '');
  if (first === 'openstack') return lookUpOpenstack(input, rest);
  const [version, ...below] = first === 'ec2' || first === '' ? rest : [first, ...rest];
  if (version === undefined) return listing([...EC2_VERSIONS, LATEST]);
  const known = ec2Version(version);
  const found = known && findInTree(ec2Tree(input, known), below);
  if (found === undefined) return undefined;
  const body = printTree(found);
  return { kind: 'text', body: typeof body === 'string' ? Buffer.from(body) : body };
}

/** The list at `/`, which is everyone's. */
export const rootListing = (): string => [...EC2_VERSIONS, LATEST].join('\n');

function lookUpOpenstack(input: MetadataInput, path: readonly string[]): MetadataAnswer | undefined {
  const [first, ...rest] = path;
  if (first === undefined) return listing([...OPENSTACK_VERSIONS, LATEST]);
  if (first === 'content') return rest.length === 1 ? contentFile(input, rest[0] ?? '') : undefined;
  const version = openstackVersion(first);
  if (version === undefined) return undefined;
  const [name, ...deeper] = rest;
  if (name === undefined) return listing(namesOf(input, version));
  if (deeper.length > 0 || !namesOf(input, version).includes(name)) return undefined;
  return openstackFile(input, version, name);
}

function listing(names: readonly string[]): MetadataAnswer {
  return { kind: 'text', body: Buffer.from(names.join('\n')) };
}

function namesOf(input: MetadataInput, version: OpenStackVersion): readonly string[] {
  return NAMES.filter(({ since }) => hasOpenstack(version, since))
    .map(({ name }) => name)
    .filter((name) => name !== USER_DATA || input.userData !== null);
}

function contentFile({ files = [] }: MetadataInput, name: string): MetadataAnswer | undefined {
  const found = files.find((_, index) => contentName(index) === name);
  return found === undefined ? undefined : { kind: 'text', body: Buffer.from(found.content) };
}

const json = (value: unknown): MetadataAnswer => ({ kind: 'json', body: Buffer.from(JSON.stringify(value)) });

function openstackFile(
  input: MetadataInput,
  version: OpenStackVersion,
  name: string,
): MetadataAnswer | undefined {
  switch (name) {
    case META_DATA:
      return json(metaData(input, version));
    case USER_DATA: {
      const body = userDataBytes(input);
      return body === undefined ? undefined : { kind: 'text', body };
    }
    case PASSWORD:
      return { kind: 'password', posted: input.postedPassword ?? '' };
    case VENDOR_DATA:
      return json(input.vendorData);
    case VENDOR_DATA_2:
      return json({ static: input.vendorData });
    case NETWORK_DATA:
      // Nova serves this one as text.
      return { kind: 'text', body: Buffer.from(JSON.stringify(networkData(input.networkInfo) ?? {})) };
    default:
      return undefined;
  }
}

/** The files of a config drive, in both formats. Pure. Source: nova/api/metadata/base.py, metadata_for_config_drive. */
export function configDriveFiles(input: MetadataInput): readonly MetadataFile[] {
  const files: MetadataFile[] = [];
  const userData = userDataBytes(input);
  for (const [name, version] of withLatest(CONFIG_DRIVE_EC2_VERSIONS)) {
    if (userData !== undefined) files.push({ path: `ec2/${name}/user-data`, content: userData });
    const content = Buffer.from(JSON.stringify(ec2MetaData(input, version)));
    files.push({ path: `ec2/${name}/meta-data.json`, content });
  }
  for (const [name, version] of withLatest(OPENSTACK_VERSIONS)) {
    for (const file of namesOf(input, version)) {
      const answer = openstackFile(input, version, file);
      // What a guest posts has no place on a drive that never changes.
      if (answer === undefined || answer.kind === 'password') continue;
      files.push({ path: `openstack/${name}/${file}`, content: answer.body });
    }
  }
  for (const [index, { content }] of (input.files ?? []).entries()) {
    files.push({ path: `openstack/content/${contentName(index)}`, content });
  }
  return files;
}

function withLatest<V extends Ec2Version | OpenStackVersion>(
  versions: readonly V[],
): readonly (readonly [string, V])[] {
  const newest = versions.at(-1);
  return [
    ...versions.map((version) => [version, version] as const),
    ...(newest === undefined ? [] : [[LATEST, newest] as const]),
  ];
}
