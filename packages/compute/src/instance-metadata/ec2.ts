import { fullHostname, userDataBytes } from './input.js';
import type { MetadataInput } from './input.js';
import { hasEc2 } from './versions.js';
import type { Ec2Version } from './versions.js';

/** A tree that is read by path, a level at a time. */
export type Tree = string | number | Buffer | readonly string[] | Branch;
export interface Branch {
  readonly [name: string]: Tree;
}

/** In a listing, stands for its branch: `0=key` for `public-keys/0`. */
const LABEL = '_name';
const ROOT_DEVICE = 'sda';

const hex8 = (value: number): string => value.toString(16).padStart(8, '0');

/** EC2's `ami-` and eight digits; Nova counts images for it, here they are the first of the image's own id. */
function amiId(imageRef: string): string {
  return `ami-${/^[0-9a-f]{8}/i.exec(imageRef)?.[0].toLowerCase() ?? hex8(0)}`;
}

/** Source: nova/block_device.py, instance_block_mapping. */
function blockDevices(input: MetadataInput): Branch {
  const ephemerals = Array.from({ length: input.ephemeralDisks }, (_, index) => [
    `ephemeral${index}`,
    `sd${String.fromCodePoint('b'.codePointAt(0)! + index)}`,
  ]);
  const volumes = input.volumeDevices.toSorted().map((name, index) => [`ebs${index}`, name]);
  return Object.fromEntries([
    ['ami', ROOT_DEVICE],
    ['root', `/dev/${ROOT_DEVICE}`],
    ...ephemerals,
    ...volumes,
  ]);
}

/** IPv4 addresses come first in EC2's view, which knows no others. */
function firstAddress({ networkInfo }: MetadataInput): string {
  for (const { fixedIps } of networkInfo) {
    const found = fixedIps.find(({ address }) => !address.includes(':'));
    if (found !== undefined) return found.address;
  }
  return '';
}

/** What `/VERSION/meta-data` holds. Source: nova/api/metadata/base.py, get_ec2_metadata. */
export function ec2MetaData(input: MetadataInput, version: Ec2Version): Branch {
  const hostname = fullHostname(input);
  const since = (first: Ec2Version, fields: Branch): Branch => (hasEc2(version, first) ? fields : {});
  return {
    'ami-id': amiId(input.imageRef),
    'ami-launch-index': input.launchIndex,
    'ami-manifest-path': 'FIXME',
    'instance-id': `i-${hex8(input.id)}`,
    hostname,
    'local-ipv4': firstAddress(input),
    'reservation-id': input.reservationId,
    'security-groups': input.securityGroups,
    ...publicKeys(input),
    ...since('2007-01-19', { 'local-hostname': hostname, 'public-hostname': hostname, 'public-ipv4': '' }),
    ...since('2007-08-29', { 'instance-type': input.flavorName }),
    ...since('2007-12-15', { 'block-device-mapping': blockDevices(input) }),
    ...since('2008-02-01', { placement: { 'availability-zone': input.availabilityZone } }),
    ...since('2008-09-01', { 'instance-action': 'none' }),
  };
}

function publicKeys({ keyName, keyData }: MetadataInput): Branch {
  if (keyName === null) return {};
  return { 'public-keys': { '0': { [LABEL]: `0=${keyName}`, 'openssh-key': keyData ?? '' } } };
}

/** What `/VERSION` holds. */
export function ec2Tree(input: MetadataInput, version: Ec2Version): Branch {
  const userData = userDataBytes(input);
  return {
    'meta-data': ec2MetaData(input, version),
    ...(userData === undefined ? {} : { 'user-data': userData }),
  };
}

/** Undefined when the path leads nowhere. */
export function findInTree(tree: Tree, path: readonly string[]): Tree | undefined {
  let found: Tree | undefined = tree;
  for (const name of path) {
    if (!isBranch(found) || !Object.hasOwn(found, name)) return undefined;
    found = found[name];
  }
  return found;
}

function isBranch(tree: Tree | undefined): tree is Branch {
  return typeof tree === 'object' && !Array.isArray(tree) && !Buffer.isBuffer(tree);
}

/** What is answered: a leaf's content, or the names of a branch, one a line, further branches with a slash. Source: ec2_md_print. */
export function printTree(tree: Tree): string | Buffer {
  if (typeof tree === 'string' || Buffer.isBuffer(tree)) return tree;
  if (typeof tree === 'number') return String(tree);
  if (!isBranch(tree)) return tree.join('\n');
  return Object.keys(tree)
    .filter((name) => name !== LABEL)
    .toSorted()
    .map((name) => nameInListing(name, tree[name]))
    .join('\n');
}

function nameInListing(name: string, below: Tree | undefined): string {
  if (!isBranch(below)) return name;
  const label = below[LABEL];
  return typeof label === 'string' ? label : `${name}/`;
}
