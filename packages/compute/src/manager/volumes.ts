import { randomUUID } from 'node:crypto';
import type { BlockDeviceRecord } from '../block-device.js';
import { nextDeviceName } from '../device-names.js';
import { ComputeError } from '../errors.js';
import type { InstanceRecord, ReserveBlockDeviceRequest, VolumeRequest } from '../ports.js';
import type { CallOptions } from '../rest/rest-client.js';
import { KeyedQueue } from '../util/keyed-queue.js';
import { cinderOf, refreshDeviceMetadata, saveDevice, volumeDevice } from './block-devices.js';
import type { ComputeContext } from './context.js';
import { isOvertaken, recordFault } from './faults.js';
import { withInstanceEvent } from './instance-event.js';
import { findInstance, refOf } from './instance-view.js';
import { completeVolume, connectVolume } from './volume-connect.js';
import { disconnectVolume } from './volume-release.js';

const GIB = 1024 ** 3;

interface Found {
  readonly record: InstanceRecord;
  readonly device: BlockDeviceRecord;
}

/** Volumes of instances that are there: attached, detached, grown. Each step may be done again. */
export class VolumeOperations {
  readonly #ctx: ComputeContext;
  /** Names are given one at a time. */
  readonly #naming = new KeyedQueue();

  constructor(ctx: ComputeContext) {
    this.#ctx = ctx;
  }

  /** Nova's reserve_block_device_name: the volume is the instance's from now on, and shows as its. */
  async reserve(request: ReserveBlockDeviceRequest): Promise<BlockDeviceRecord> {
    const { instanceUuid, volumeId } = request;
    return this.#naming.run(instanceUuid, async () => {
      const record = await this.#ctx.instances.get(instanceUuid);
      const others = await this.#ctx.blockDevices.list(instanceUuid);
      if (others.some((other) => other.volumeId === volumeId))
        throw new ComputeError('InvalidVolume', `Invalid volume: volume ${volumeId} already attached`);
      const names = others.map(({ deviceName }) => deviceName);
      const device = newDevice(request, nextDeviceName(names, record.flavor, request.deviceName));
      await this.#ctx.blockDevices.add(device);
      return device;
    });
  }

  /** A failure leaves the volume available and the instance as it was, with a fault. */
  attach(request: VolumeRequest): Promise<void> {
    return this.#operation(request, 'compute_attach_volume', async ({ record, device }) => {
      const call: CallOptions = { requestId: request.requestId };
      try {
        const connector = await this.#ctx.driver.volumeConnector();
        const connected = await connectVolume(this.#ctx, record, device, connector, call);
        const volume = volumeDevice(connected);
        if (volume !== null) await this.#ctx.driver.attachVolume(refOf(record), volume);
        await completeVolume(this.#ctx, connected, call);
      } catch (error) {
        await this.undoAttach(record, device.uuid, call);
        throw error;
      }
      await refreshDeviceMetadata(this.#ctx, record);
    });
  }

  /** Takes a volume back that was not attached to the end: the machine has it no more, nobody holds it, and nothing shows it. */
  async undoAttach(record: InstanceRecord, deviceUuid: string, call: CallOptions): Promise<void> {
    const device = await this.#device(record.uuid, deviceUuid);
    if (device === undefined) return;
    await this.#remove(record, device, call);
  }

  /** A failure on the host leaves the volume attached, with a fault. */
  detach(request: VolumeRequest): Promise<void> {
    return this.#operation(request, 'compute_detach_volume', async ({ record, device }) => {
      const call: CallOptions = { requestId: request.requestId };
      await this.detachNow(record, device, call);
    });
  }

  async detachNow(record: InstanceRecord, device: BlockDeviceRecord, call: CallOptions): Promise<void> {
    const detaching = await saveDevice(this.#ctx, device, { state: 'detaching' });
    try {
      const volume = volumeDevice(detaching);
      if (volume !== null) await this.#ctx.driver.detachVolume(refOf(record), volume);
    } catch (error) {
      await this.#rollDetaching(record, detaching, call);
      throw error;
    }
    await disconnectVolume(this.#ctx, detaching, call);
    await this.#ctx.blockDevices.remove(detaching.uuid);
    await refreshDeviceMetadata(this.#ctx, record);
  }

  async #rollDetaching(record: InstanceRecord, device: BlockDeviceRecord, call: CallOptions): Promise<void> {
    try {
      await cinderOf(this.#ctx).rollDetaching(device.volumeId ?? '', call);
      await this.#ctx.blockDevices.save(device.uuid, { state: 'attached' });
    } catch (error) {
      this.#ctx.log.warn(
        { err: error, instance: record.uuid, volume: device.volumeId },
        'a volume that could not be detached is left detaching; it is tried again',
      );
    }
  }

  /** After Cinder made an attached volume larger: Nova's extend_volume. */
  async extend(request: {
    readonly instanceUuid: string;
    readonly requestId: string;
    readonly volumeId: string;
  }): Promise<void> {
    const { instanceUuid, volumeId } = request;
    const record = await findInstance(this.#ctx, instanceUuid);
    if (record === null) return;
    const devices = await this.#ctx.blockDevices.list(instanceUuid);
    const device = devices.find((one) => one.volumeId === volumeId);
    const volume = device === undefined ? null : volumeDevice(device);
    if (device === undefined || volume === null) {
      this.#ctx.log.warn(
        { instance: instanceUuid, volume: volumeId },
        'a volume that grew is not attached to the instance',
      );
      return;
    }
    await this.#recorded(request, 'compute_extend_volume', async () => {
      const { sizeGb } = await cinderOf(this.#ctx).volume(volumeId, { requestId: request.requestId });
      await saveDevice(this.#ctx, device, { volumeSizeGb: sizeGb });
      await this.#ctx.driver.extendVolume(refOf(record), volume, sizeGb * GIB);
    });
  }

  /** What a killed service left between host and Cinder: half attached is undone, half detached is finished. */
  async settle(record: InstanceRecord, call: CallOptions): Promise<void> {
    let changed = false;
    for (const device of await this.#ctx.blockDevices.list(record.uuid)) {
      if (device.state === 'attached') continue;
      this.#ctx.log.info(
        { instance: record.uuid, volume: device.volumeId, state: device.state },
        'settling a volume that was on its way',
      );
      await this.#remove(record, device, call);
      changed = true;
    }
    if (changed) await refreshDeviceMetadata(this.#ctx, record);
  }

  async #remove(record: InstanceRecord, device: BlockDeviceRecord, call: CallOptions): Promise<void> {
    const volume = volumeDevice(device);
    try {
      if (volume !== null) await this.#ctx.driver.detachVolume(refOf(record), volume);
      await disconnectVolume(this.#ctx, device, call);
      await this.#ctx.blockDevices.remove(device.uuid);
    } catch (error) {
      this.#ctx.log.error(
        { err: error, instance: record.uuid, volume: device.volumeId },
        'a volume could not be taken back; it is tried again',
      );
    }
  }

  async #device(instanceUuid: string, deviceUuid: string): Promise<BlockDeviceRecord | undefined> {
    return (await this.#ctx.blockDevices.list(instanceUuid)).find(({ uuid }) => uuid === deviceUuid);
  }

  async #operation(
    request: VolumeRequest,
    event: string,
    work: (found: Found) => Promise<void>,
  ): Promise<void> {
    const record = await findInstance(this.#ctx, request.instanceUuid);
    const device = await this.#device(request.instanceUuid, request.deviceUuid);
    if (record === null || device === undefined) {
      this.#ctx.log.info({ instance: request.instanceUuid }, 'request is outdated and was left alone');
      return;
    }
    await this.#recorded(request, event, () => work({ record, device }));
  }

  async #recorded(
    request: { readonly instanceUuid: string; readonly requestId: string },
    event: string,
    work: () => Promise<void>,
  ): Promise<void> {
    await withInstanceEvent(this.#ctx, request, event, async () => {
      try {
        await work();
      } catch (error) {
        if (!isOvertaken(error)) await recordFault(this.#ctx, request.instanceUuid, error);
        throw error;
      }
    });
  }
}

function newDevice(request: ReserveBlockDeviceRequest, deviceName: string): BlockDeviceRecord {
  return {
    uuid: randomUUID(),
    instanceUuid: request.instanceUuid,
    sourceType: 'volume',
    volumeId: request.volumeId,
    snapshotId: null,
    imageId: null,
    volumeSizeGb: null,
    volumeType: null,
    bootIndex: null,
    deviceName,
    diskBus: request.diskBus,
    deviceType: request.deviceType,
    guestFormat: null,
    deleteOnTermination: request.deleteOnTermination,
    attachmentId: null,
    connectionInfo: null,
    tag: request.tag,
    state: 'reserved',
  };
}
