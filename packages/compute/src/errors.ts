/** Names from nova/exception.py for what the compute manager itself refuses or fails with. */
export type ComputeExceptionName =
  | 'BuildAbortException'
  | 'ComputeResourcesUnavailable'
  | 'ComputeServiceUnavailable'
  | 'DevicePathInUse'
  | 'ExternalNetworkAttachForbidden'
  | 'FixedIpAlreadyInUse'
  | 'FlavorMemoryTooSmall'
  | 'Forbidden'
  | 'FlavorDiskSmallerThanMinDisk'
  | 'ImageNotActive'
  | 'ImageNotFound'
  | 'InstanceFaultRollback'
  | 'InstanceInvalidState'
  | 'InstanceNotReady'
  | 'InvalidConfiguration'
  | 'InvalidDevicePath'
  | 'InvalidInput'
  | 'InvalidVolume'
  | 'NetworkAmbiguous'
  | 'NetworkNotFound'
  | 'NetworkRequiresSubnet'
  | 'MultiattachNotSupportedByVirtDriver'
  | 'NoMoreFixedIps'
  | 'OverQuota'
  | 'PciConfigInvalidSpec'
  | 'PciDeviceRequestFailed'
  | 'PciInvalidAlias'
  | 'PciRequestAliasNotDefined'
  | 'PortBindingFailed'
  | 'PortInUse'
  | 'PortLimitExceeded'
  | 'PortNotFound'
  | 'PortNotUsable'
  | 'SecurityGroupNotFound'
  | 'SnapshotNotFound'
  | 'TooManyDiskDevices'
  | 'UnableToAutoAllocateNetwork'
  | 'VirtualInterfaceCreateException'
  | 'VolumeAttachmentNotFound'
  | 'VolumeBDMNotFound'
  | 'VolumeEncryptionNotSupported'
  | 'VolumeNotCreated'
  | 'VolumeNotFound';

/** A refusal or failure of the compute manager. `scope` means the same as a DriverError's. */
export class ComputeError extends Error {
  readonly code = 'COMPUTE_ERROR';
  readonly novaName: ComputeExceptionName;
  /** `request`: final for every host; `host`: another host may do. */
  readonly scope: 'request' | 'host';
  constructor(
    novaName: ComputeExceptionName,
    message: string,
    options: ErrorOptions & { scope?: 'request' | 'host' } = {},
  ) {
    super(message, options);
    this.name = novaName;
    this.novaName = novaName;
    this.scope = options.scope ?? 'request';
  }
}

/** Why a build was given up before its end: the reason of its AbortSignal. */
export class BuildInterruptedError extends Error {
  readonly code = 'BUILD_INTERRUPTED';
  readonly reason: 'deleted' | 'stopping';
  constructor(reason: 'deleted' | 'stopping') {
    super(
      reason === 'deleted'
        ? 'The instance was deleted while it was being built.'
        : 'The compute service was stopped while the instance was being built.',
    );
    this.name = 'BuildInterrupted';
    this.reason = reason;
  }
}
