import {
  DriverError,
  POWER_STATE,
  type Instance,
  type InstanceRef,
  type PowerState,
} from '@nova-hyperv/driver';
import { InstanceNotFoundError, type InstanceRecord } from '../ports.js';
import { settledDevices } from '../pci/assign.js';
import type { ComputeContext } from './context.js';

export function refOf(record: InstanceRecord): InstanceRef {
  return { uuid: record.uuid, name: record.name };
}

/** The part of an instance that the driver plans a machine from. */
export function driverInstance(record: InstanceRecord): Instance {
  return {
    uuid: record.uuid,
    name: record.name,
    hostname: record.hostname,
    displayName: record.displayName,
    projectId: record.projectId,
    userId: record.userId,
    imageRef: record.imageRef,
    flavor: record.flavor,
    metadata: record.metadata,
    ephemeralsGb: record.ephemeralsGb,
    pciDevices: settledDevices(record.pciDevices, 'new').map(({ address }) => ({ address })),
  };
}

/** The instance, or null when it is deleted or was never there. */
export async function findInstance(ctx: ComputeContext, uuid: string): Promise<InstanceRecord | null> {
  try {
    const record = await ctx.instances.get(uuid);
    return record.deleted ? null : record;
  } catch (error) {
    if (error instanceof InstanceNotFoundError) return null;
    throw error;
  }
}

export function isNoSuchMachine(error: unknown): boolean {
  return error instanceof DriverError && error.novaName === 'InstanceNotFound';
}

/** Nova's _get_power_state: NOSTATE when the host has no such machine. */
export async function powerStateOf(ctx: ComputeContext, instance: InstanceRef): Promise<PowerState> {
  try {
    return (await ctx.driver.getInfo(instance)).powerState;
  } catch (error) {
    if (isNoSuchMachine(error)) return POWER_STATE.NOSTATE;
    throw error;
  }
}

/** An instance that failed before it had a machine, or is gone, holds nothing on any host. */
export function holdsResources(record: InstanceRecord): boolean {
  if (record.deleted || record.vmState === 'deleted') return false;
  return !(record.vmState === 'error' && record.host === null);
}
