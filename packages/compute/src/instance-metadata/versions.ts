/** Versions of EC2's metadata, oldest first. Source: nova/api/metadata/base.py, VERSIONS. */
export const EC2_VERSIONS = [
  '1.0',
  '2007-01-19',
  '2007-03-01',
  '2007-08-29',
  '2007-10-10',
  '2007-12-15',
  '2008-02-01',
  '2008-09-01',
  '2009-04-04',
] as const;
export type Ec2Version = (typeof EC2_VERSIONS)[number];

/** Versions of OpenStack's metadata, oldest first. Source: nova/api/metadata/base.py, OPENSTACK_VERSIONS. */
export const OPENSTACK_VERSIONS = [
  '2012-08-10',
  '2013-04-04',
  '2013-10-17',
  '2015-10-15',
  '2016-06-30',
  '2016-10-06',
  '2017-02-22',
  '2018-08-27',
  '2020-10-14',
] as const;
export type OpenStackVersion = (typeof OPENSTACK_VERSIONS)[number];

/** [api] config_drive_skip_versions' default: what a config drive has of EC2's begins with 2009-04-04. */
export const CONFIG_DRIVE_EC2_VERSIONS: readonly Ec2Version[] = ['2009-04-04'];

export const LATEST = 'latest';

/** First parts of the paths of EC2's metadata. */
export const EC2_ROOTS: readonly string[] = [...EC2_VERSIONS, LATEST];

/** `latest` is the newest; undefined for what is no version. */
export function ec2Version(name: string): Ec2Version | undefined {
  return name === LATEST ? EC2_VERSIONS.at(-1) : EC2_VERSIONS.find((version) => version === name);
}

export function openstackVersion(name: string): OpenStackVersion | undefined {
  return name === LATEST ? OPENSTACK_VERSIONS.at(-1) : OPENSTACK_VERSIONS.find((version) => version === name);
}

/** Whether `version` has what came with `since`. Versions are dates, but for EC2's first. */
export function hasEc2(version: Ec2Version, since: Ec2Version): boolean {
  return EC2_VERSIONS.indexOf(version) >= EC2_VERSIONS.indexOf(since);
}

export function hasOpenstack(version: OpenStackVersion, since: OpenStackVersion): boolean {
  return OPENSTACK_VERSIONS.indexOf(version) >= OPENSTACK_VERSIONS.indexOf(since);
}
