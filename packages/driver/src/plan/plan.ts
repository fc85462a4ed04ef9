import { joinHostPath } from '@nova-hyperv/hyperv';
import { DriverError } from '../errors.js';
import type { ImageMeta } from '../types.js';
import type { BaseImage, EarlyPlanInput, PlanInput } from './input.js';
import { biosOrder, localBootIndexes, uefiOrder } from './boot-order.js';
import type { BootIndexes } from './boot-order.js';
import { planMemory, planProcessors } from './capacity.js';
import { refuseConfigDriveFormat } from './config-drive.js';
import { planDiskLimit } from './disk-limits.js';
import { planDisks, rootFormatOf } from './disks.js';
import type { DiskPlan, RootFormat } from './disks.js';
import { chooseGeneration, versionText } from './generation.js';
import { compareVersions, MAXIMUM_NAME_LENGTH, OLDEST_HOST } from './limits.js';
import { planNics } from './network.js';
import { hasPciDevices, planPciDevices } from './pci.js';
import { planSecurity } from './security.js';
import type { ProvisioningPlan } from './security.js';
import { NO_SERIAL_PORTS, serialPorts } from './serial.js';
import { controllersOf } from './slots.js';
import { refuseUnservedRequests } from './unsupported.js';
import { bootsFromVolume, refuseVolumes } from './volumes.js';
import { planVideo } from './video.js';
import { deepFreeze } from './vm-spec.js';
import type { FirmwareSpec, Generation, VmSpec } from './vm-spec.js';

/** Everything about the machine that does not depend on the image's content. */
export interface EarlyPlan {
  readonly generation: Generation;
  readonly rootFormat: RootFormat | 'volume';
  readonly vm: Omit<VmSpec, 'drives' | 'firmware'>;
  /** Of a machine with a virtual TPM. */
  readonly provisioning?: ProvisioningPlan;
}

export interface SpawnPlan extends Omit<DiskPlan, 'drives' | 'bootIndexes'> {
  readonly vm: VmSpec;
}

/** So that cloud-init in the guest recognises OpenStack. Source: nova/version.py, product_string. */
const CHASSIS_ASSET_TAG = 'OpenStack Nova';

/**
 * The first stage: every rule that needs only metadata. Pure; throws {@link DriverError} for what cannot be had. Called before the image
 * is fetched, so that a request which cannot be served costs nothing.
 */
export function planEarly(input: EarlyPlanInput): EarlyPlan {
  const { instance, host, config } = input;
  refuseOldHost(input);
  refuseBadName(instance.name, config.imageCacheSubdirectory);
  const generation = chooseGeneration(input);
  const rootFormat = bootsFromVolume(input) ? 'volume' : rootFormatOf(input);
  refuseVolumes(input, generation);
  refuseUnservedRequests(input);
  refuseConfigDriveFormat(input);
  const processors = planProcessors(input, generation);
  planDiskLimit(input);
  const { security, provisioning } = planSecurity(input, generation);
  return deepFreeze({
    generation,
    rootFormat,
    ...(provisioning === undefined ? {} : { provisioning }),
    vm: {
      name: instance.name,
      instanceUuid: instance.uuid,
      generation,
      directory: joinHostPath(config.instancesPath, instance.name),
      security,
      processors,
      memory: planMemory(input, generation, processors),
      controllers: controllersOf(generation),
      nics: planNics(input.vifs, host, config, processors.nestedVirtualization),
      // What a secured guest says is nobody's on the host.
      serialPorts: security.vtpm ? NO_SERIAL_PORTS : serialPorts(input.image, instance.uuid),
      pciDevices: planPciDevices(input),
      video: planVideo(input, generation),
      automaticStart: 'none',
      // A machine with a device of the host cannot be saved.
      automaticShutdown: config.instanceAutomaticShutdown || hasPciDevices(input) ? 'shut-down' : 'save',
      chassisAssetTag: CHASSIS_ASSET_TAG,
    },
  });
}

/** The second stage: the image has been fetched and inspected. Pure; repeats the first stage's checks. */
export function plan(input: PlanInput): SpawnPlan {
  const early = planEarly(input);
  refuseOtherContent(input.image, early.rootFormat, input.base);
  const { generation, vm } = early;
  const { drives, bootIndexes, ...disks } = planDisks(input, generation, vm.directory, vm.controllers);
  return deepFreeze({ vm: withDrives(early, drives, bootIndexes), ...disks });
}

/** What Glance was told and what the file is have to agree. */
export function refuseOtherContent(
  image: Pick<ImageMeta, 'id'>,
  declared: RootFormat | 'volume',
  base: BaseImage,
): void {
  if (declared === 'volume' || base.kind === 'volume') return;
  if ((declared === 'iso') === (base.kind === 'iso')) return;
  throw new DriverError(
    'ImageUnacceptable',
    `Image ${image.id} says disk_format ${declared} and is ${base.kind === 'iso' ? 'an ISO 9660 image' : `a ${base.info.format.toUpperCase()}`}. Correct its disk_format.`,
  );
}

/** The machine with its drives, and the boot order that follows from them. `bootIndexes`: of drives that are not the instance's own files. */
export function withDrives(early: EarlyPlan, drives: VmSpec['drives'], bootIndexes: BootIndexes): VmSpec {
  return { ...early.vm, drives, firmware: firmware(early, drives, bootIndexes) };
}

function firmware(early: EarlyPlan, drives: VmSpec['drives'], bootIndexes: BootIndexes): FirmwareSpec {
  if (early.generation === 1) return { kind: 'bios', bootOrder: biosOrder(early.rootFormat === 'iso') };
  const indexes = new Map([...localBootIndexes(drives, early.vm.directory), ...bootIndexes]);
  return { kind: 'uefi', bootOrder: uefiOrder(drives, indexes, early.vm.nics) };
}

function refuseOldHost({ host }: EarlyPlanInput): void {
  if (compareVersions(host.windowsVersion, OLDEST_HOST) >= 0) return;
  throw new DriverError(
    'HypervisorTooOld',
    `Host ${host.name} runs Windows ${versionText(host)}; this driver needs 6.2 (Windows Server 2012) or later.`,
    { scope: 'host' },
  );
}

/** The name becomes a folder's name and the machine's ElementName. */
function refuseBadName(name: string, baseFolder: string): void {
  if (
    /^[\w-](?:[\w.-]*[\w-])?$/.test(name) &&
    name.length <= MAXIMUM_NAME_LENGTH &&
    name.toLowerCase() !== baseFolder.toLowerCase()
  )
    return;
  throw new DriverError(
    'InstanceUnacceptable',
    `The instance's name ${JSON.stringify(name)} cannot name a machine and its folder: use letters, digits, ".", "_" and "-", at most ${MAXIMUM_NAME_LENGTH}. See instance_name_template.`,
  );
}
