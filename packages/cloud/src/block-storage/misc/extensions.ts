const extension = (alias: string, name: string, updated: string) => ({
  alias,
  name,
  description: name,
  updated,
  links: [],
});

/** cinder/api/contrib: those that are served. */
export const EXTENSIONS = [
  extension('os-admin-actions', 'AdminActions', '2012-08-25T00:00:00+00:00'),
  extension('os-availability-zone', 'AvailabilityZones', '2013-06-27T00:00:00+00:00'),
  extension('os-extended-services', 'ExtendedServices', '2014-01-10T00:00:00-00:00'),
  extension('os-extended-snapshot-attributes', 'ExtendedSnapshotAttributes', '2012-06-19T00:00:00+00:00'),
  extension('qos-specs', 'Qos_specs_manage', '2013-08-02T00:00:00+00:00'),
  extension('os-quota-class-sets', 'QuotaClasses', '2012-03-12T00:00:00+00:00'),
  extension('os-quota-sets', 'Quotas', '2011-08-08T00:00:00+00:00'),
  extension('scheduler-stats', 'Scheduler_stats', '2014-09-07T00:00:00+00:00'),
  extension('os-services', 'Services', '2012-10-28T00:00:00-00:00'),
  extension('os-snapshot-actions', 'SnapshotActions', '2013-07-16T00:00:00+00:00'),
  extension('os-types-extra-specs', 'TypesExtraSpecs', '2011-08-24T00:00:00+00:00'),
  extension('os-types-manage', 'TypesManage', '2011-08-24T00:00:00+00:00'),
  extension('os-used-limits', 'UsedLimits', '2013-10-03T00:00:00+00:00'),
  extension('os-volume-actions', 'VolumeActions', '2012-05-31T00:00:00+00:00'),
  extension('os-vol-host-attr', 'VolumeHostAttribute', '2011-11-03T00:00:00+00:00'),
  extension('os-vol-image-meta', 'VolumeImageMetadata', '2012-12-07T00:00:00+00:00'),
  extension('os-vol-mig-status-attr', 'VolumeMigStatusAttribute', '2013-08-08T00:00:00+00:00'),
  extension('os-vol-tenant-attr', 'VolumeTenantAttribute', '2011-11-03T00:00:00+00:00'),
  extension('os-volume-type-access', 'VolumeTypeAccess', '2014-06-26T00:00:00Z'),
  extension('encryption', 'VolumeTypeEncryption', '2012-07-27T00:00:00+00:00'),
] as const;
