import type { ConfigDrive, ImageMeta } from '@nova-hyperv/driver';
import { configDriveFiles, metadataInput, readVendorData } from '../instance-metadata/index.js';
import type { BuildRequest, InstanceRecord } from '../ports.js';
import type { CallOptions } from '../rest/rest-client.js';
import type { ComputeContext } from './context.js';

const PROPERTY = 'img_config_drive';

/** Whether a new instance gets one: its user, its image or its host says so. Source: nova/virt/configdrive.py, required_by. */
export function needsConfigDrive(
  ctx: Pick<ComputeContext, 'config'>,
  record: Pick<InstanceRecord, 'configDrive'>,
  image: Pick<ImageMeta, 'properties'>,
): boolean {
  return record.configDrive || ctx.config.forceConfigDrive || image.properties[PROPERTY] === 'mandatory';
}

/** What is true of the instance now; it is never brought up to date. */
export async function configDriveOf(
  ctx: ComputeContext,
  record: InstanceRecord,
  request: Pick<BuildRequest, 'adminPassword' | 'injectedFiles'>,
  call: CallOptions,
): Promise<ConfigDrive> {
  const { config, clock } = ctx;
  const { adminPassword, injectedFiles = [] } = request;
  const input = metadataInput(record, {
    securityGroups: await securityGroupNames(ctx, record, call),
    volumeDevices: [],
    dhcpDomain: config.dhcpDomain,
    vendorData: await readVendorData(config.vendordataJsonfilePath),
    defaultAvailabilityZone: config.defaultAvailabilityZone,
    files: injectedFiles.map(({ path, contents }) => ({ path, content: Buffer.from(contents, 'base64') })),
    ...(config.configDriveInjectPassword && adminPassword !== undefined ? { adminPassword } : {}),
  });
  return { files: configDriveFiles(input), date: clock.now() };
}

async function securityGroupNames(
  ctx: ComputeContext,
  { networkInfo, projectId }: InstanceRecord,
  call: CallOptions,
): Promise<readonly string[]> {
  const ids = new Set(networkInfo.flatMap(({ securityGroups = [] }) => securityGroups));
  if (ids.size === 0) return [];
  const groups = await ctx.network.securityGroups({ projectId }, call);
  return groups.filter(({ id }) => ids.has(id)).map(({ name }) => name);
}
