/**
 * What the driver refuses or fails with. `novaName` is the exception's name in Nova, which a user of a real
 * cloud finds in the instance's fault; the message names what is wrong and what to do about it.
 */
export class DriverError extends Error {
  readonly code = 'DRIVER_ERROR';
  readonly novaName: NovaExceptionName;
  /** A refusal is final for every host (do not reschedule); a host error may succeed elsewhere. */
  readonly scope: 'request' | 'host';
  constructor(
    novaName: NovaExceptionName,
    message: string,
    options: ErrorOptions & { scope?: 'request' | 'host' } = {},
  ) {
    super(message, options);
    this.name = novaName;
    this.novaName = novaName;
    this.scope = options.scope ?? (novaName === 'NovaException' ? 'host' : 'request');
  }
}

/** Names from nova/exception.py that this driver uses. */
export type NovaExceptionName =
  | 'ConfigDriveUnsupportedFormat'
  | 'HypervisorTooOld'
  | 'Invalid'
  | 'InvalidNUMANodesNumber'
  | 'ImageNUMATopologyAsymmetric'
  | 'ImageNUMATopologyCPUDuplicates'
  | 'ImageNUMATopologyCPUOutOfRange'
  | 'ImageNUMATopologyCPUsUnassigned'
  | 'ImageNUMATopologyForbidden'
  | 'ImageNUMATopologyIncomplete'
  | 'ImageNUMATopologyMemoryOutOfRange'
  | 'InstanceExists'
  | 'InstanceInvalidState'
  | 'InstanceNotFound'
  | 'InstanceUnacceptable'
  | 'InstancePowerOffFailure'
  | 'InstancePowerOnFailure'
  | 'InstanceRebootFailure'
  | 'ImageSerialPortNumberInvalid'
  | 'ImageUnacceptable'
  | 'ImageNotFound'
  | 'InvalidConfiguration'
  | 'InvalidImageFormat'
  | 'InvalidDiskInfo'
  | 'InvalidDiskFormat'
  | 'InvalidBDMFormat'
  | 'InvalidMetadata'
  | 'FlavorDiskSmallerThanImage'
  | 'CannotResizeDisk'
  | 'DiskNotFound'
  | 'VirtualInterfaceCreateException'
  | 'VirtualInterfacePlugException'
  | 'PortBindingFailed'
  | 'ExtendVolumeNotSupported'
  | 'ValidationError'
  | 'VolumeAttachFailed'
  | 'VolumeDriverNotFound'
  | 'VolumeEncryptionNotSupported'
  | 'ConsoleLogOutputException'
  | 'ConsoleNotAvailable'
  | 'ConsoleTypeUnavailable'
  | 'NotFound'
  | 'PciDeviceInvalidStatus'
  | 'PciDeviceNotFound'
  | 'PciDeviceRequestFailed'
  | 'NovaException';
